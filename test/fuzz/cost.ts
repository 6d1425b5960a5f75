import { type Profiler, Session } from 'node:inspector/promises'
import { join } from 'node:path'
import vm from 'node:vm'
import { build } from 'esbuild'
import { stepsOf } from './regexp-steps.ts'

// Counts the work of a function in steps, so that its growth can be measured without a clock. Its modules run in a separate
// realm, where three kinds of steps are counted:
// - every execution of every block of their code, with V8's precise coverage;
// - the attempts of its regular expressions, with a matcher that backtracks like the engine and counts;
// - the length of every string or array that one of the engine's own functions reads.

/** Globals that the engine's host provides in addition to the language. */
const HOST = [
  'URL',
  'URLSearchParams',
  'Headers',
  'Response',
  'TextEncoder',
  'TextDecoder',
  'Uint8Array',
  'atob',
  'btoa',
  'crypto',
] as const

const SCRIPT = 'counted.js'

/** Functions of the engine that read the whole value they are called on. */
const WALKS: Readonly<Record<string, readonly string[]>> = {
  String: [
    'split',
    'replace',
    'replaceAll',
    'slice',
    'trim',
    'includes',
    'indexOf',
    'startsWith',
    'endsWith',
    'toLowerCase',
    'match',
    'matchAll',
    'search',
  ],
  Array: [
    'filter',
    'map',
    'flatMap',
    'find',
    'some',
    'every',
    'includes',
    'indexOf',
    'join',
    'slice',
    'flat',
    'reduce',
    'concat',
    'sort',
  ],
}

export interface Counted<T> {
  readonly parsers: T
  /** @returns the number of steps that `run` takes. */
  count(run: () => unknown): Promise<number>
  end(): Promise<void>
}

/** @param source a module, whose imports are resolved against the root of the repository. */
export async function counted<T>(source: string): Promise<Counted<T>> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: join(import.meta.dirname, '../..'), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'parsers',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'esnext',
  })
  let walked = 0
  let broken: unknown
  const walk = (steps: number) => {
    walked += steps
  }
  const walkExpression = (...over: Parameters<typeof stepsOf>) => {
    try {
      walk(stepsOf(...over))
    } catch (error) {
      broken = error // which the measured code might catch
    }
  }
  const host = Object.fromEntries(HOST.map(name => [name, globalThis[name]]))
  const realm = vm.createContext({ ...host, walk, walkExpression, WALKS: JSON.stringify(WALKS) })
  // the engine's own replace(), split() and so on call exec() of their realm
  vm.runInContext(
    `{
      const { exec } = RegExp.prototype
      const { apply } = Reflect
      RegExp.prototype.exec = function (text) {
        walkExpression(this.source, this.flags, String(text), this.lastIndex)
        return apply(exec, this, [text])
      }
      for (const [type, names] of Object.entries(JSON.parse(WALKS)))
        for (const name of names) {
          const { prototype } = globalThis[type]
          const own = prototype[name]
          prototype[name] = function (...over) { walk(this.length); return apply(own, this, over) }
        }
      const { parse } = JSON
      JSON.parse = (text, ...over) => { walk(text.length); return parse(text, ...over) }
      const { fromEntries } = Object
      Object.fromEntries = list => { const all = [...list]; walk(all.length); return fromEntries(all) }
    }`,
    realm,
  )
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const [{ text = '' } = {}] = outputFiles
  vm.runInContext(`${text};globalThis.parsers = parsers`, realm, { filename: SCRIPT })
  const blocks = async () => {
    const { result } = (await session.post(
      'Profiler.takePreciseCoverage',
    )) as Profiler.TakePreciseCoverageReturnType
    let sum = 0
    for (const { url, functions } of result)
      if (url === SCRIPT) for (const { ranges } of functions) for (const { count } of ranges) sum += count
    return sum
  }
  return {
    parsers: (realm as { parsers: T }).parsers,
    async count(run) {
      await blocks() // which starts again
      walked = 0
      try {
        await run()
      } catch {} // other tests check how it ends
      if (broken) throw broken
      return walked + (await blocks())
    },
    async end() {
      await session.post('Profiler.stopPreciseCoverage')
      session.disconnect()
    },
  }
}
