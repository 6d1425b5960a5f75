import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

export interface BenchResult {
  readonly tables: readonly Table[]
  /** What a reader has to know about the figures. */
  readonly notes?: readonly string[]
}

export interface BenchSettings {
  /** Repetitions, where the default of the case is not wanted. */
  readonly rounds: number | undefined
  say(line: string): void
}

/** One case: a file in bench/ exports one. */
export interface Bench {
  readonly title: string
  run(settings: BenchSettings): Promise<BenchResult>
}

export const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

export function quantile(values: readonly number[], share: number): number {
  const order = sorted(values)
  return order[Math.min(order.length - 1, Math.floor(order.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const order = sorted(values)
  const middle = order.length / 2
  return order.length % 2
    ? (order[Math.floor(middle)] as number)
    : ((order[middle - 1] as number) + (order[middle] as number)) / 2
}

const SAMPLES = 500

/** A ratio of medians, and between which two such a ratio lies nine times in ten (bootstrap over the rounds). */
export interface Ratio {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/** @param base as many values as `values`, measured beside them round by round. */
export function ratioOf(values: readonly number[], base: readonly number[]): Ratio {
  const drawn: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    const rounds = values.map(() => Math.floor(Math.random() * values.length))
    const of = (from: readonly number[]) => median(rounds.map(round => from[round] as number))
    drawn.push(of(values) / of(base))
  }
  return { ratio: median(values) / median(base), low: quantile(drawn, 0.05), high: quantile(drawn, 0.95) }
}

export const percent = (ratio: number): string =>
  `${ratio < 1 ? '−' : '+'}${Math.abs((ratio - 1) * 100).toFixed(1)} %`

export const interval = ({ low, high }: Ratio): string => `${percent(low)} to ${percent(high)}`

/** Whether a ratio keeps to its goal, as far as the interval tells. */
export function verdict({ low, high }: Ratio, goal: number): string {
  if (high <= goal) return `${percent(goal)}: met`
  return `${percent(goal)}: ${low > goal ? 'missed' : 'open, run it for longer'}`
}

/** One number where all rounds agree, else the smallest and the largest. */
export const range = (values: readonly number[]): string => {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return low === high ? String(low) : `${low}–${high}`
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const isNumeric = (cell: string | number) => typeof cell === 'number' || /^[\d−+]/.test(cell)

export function toText({ title, columns, rows }: Table): string {
  const widths = columns.map((name, at) =>
    Math.max(name.length, ...rows.map(row => String(row[at] ?? '').length)),
  )
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, at) => {
        const width = widths[at] ?? 0
        return at > 0 && isNumeric(cell) ? String(cell).padStart(width) : String(cell).padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map(width => '─'.repeat(width)).join('  ')
  return [title, '', line(columns), rule, ...rows.map(line), ''].join('\n')
}

const root = new URL('../../', import.meta.url)

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, root), 'utf8')).version

const commit = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

const PEERS = [
  ...['oidc-client-ts', '@auth0/auth0-spa-js', '@badgateway/oauth2-client'],
  ...['openid-client', 'google-auth-library', 'express-oauth2-jwt-bearer', 'hono', 'jose'],
]

/** Writes build/bench/<name>.json. */
export function writeJson(name: string, title: string, result: BenchResult) {
  const folder = new URL('build/bench/', root)
  mkdirSync(folder, { recursive: true })
  const report = {
    name,
    title,
    at: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    cores: cpus().length,
    peers: Object.fromEntries(PEERS.map(peer => [peer, versionOf(peer)])),
    ...result,
  }
  const file = new URL(`${name}.json`, folder)
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
  return fileURLToPath(file)
}
