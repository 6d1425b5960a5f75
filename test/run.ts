import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatConformance, judgeConformance, parseCases, parseFindings } from './conformance/conformance.ts'
import { decisions, notYet } from './conformance/decisions.ts'
import { ensureFirebaseTools } from './firebase/install.ts'
import { ensureSkeletonTools } from './package/skeleton-tools.ts'
import { CHROMIUM_VARIABLE, ensureChromium, ensureHeadlessShell } from './support/chromium.ts'
import { type CommandOptions, runCommand } from './support/command.ts'
import { ensureEngines } from './support/engines/find.ts'
import { closingLine, joinReports, judgeRun, type RunReport, slowestFiles } from './support/run-report.ts'
import { ensureServices } from './support/services.ts'
import { REPORT_VARIABLE } from './support/summary-reporter.ts'

interface Step {
  readonly name: string
  /** Findings for the summary. Rejects with one sentence if the step is red. */
  run(): Promise<string>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const MINUTE = 60_000
const filters = process.argv.slice(2)
let report: RunReport | undefined
let engine = 'none'

const say = (line: string) => process.stdout.write(`${line}\n`)

const show = (program: string, args: string[], options: Partial<CommandOptions> = {}) =>
  runCommand(program, args, { cwd: root, show: true, timeoutMs: 10 * MINUTE, ...options })

/** A script of package.json. Its output is shown when it has ended, because others run beside it. */
const script = (name: string, advice: string) => async (): Promise<string> => {
  const { code, timedOut, output } = await show('npm', ['run', '--silent', name], { show: false })
  process.stdout.write(output)
  if (timedOut) throw new Error(`\`npm run ${name}\` did not end in time and was stopped.`)
  if (code !== 0) throw new Error(`\`npm run ${name}\` failed. ${advice}`)
  return ''
}

async function findBrowser(): Promise<string> {
  const { path, version } = await ensureChromium(say)
  process.env[CHROMIUM_VARIABLE] = path
  engine = `Chromium ${version}`
  return (await ensureHeadlessShell(say)) ? `${path} and its headless shell` : path
}

async function findOtherEngines(): Promise<string> {
  const names = await ensureEngines(say)
  engine = [engine, ...names.filter(name => name !== 'Chromium')].join(', ')
  return names.join(', ')
}

/** Except those of `npm run test:live`, which need credentials. */
const testFiles = () =>
  readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.test.ts') && !file.startsWith('live'))
    .map(file => join('test', file))

/** Writes docs/conformance.md. @returns its problems. */
function reportConformance({ evidence }: RunReport): string[] {
  const read = (name: string) => readFileSync(join(root, 'test/conformance', name), 'utf8')
  const cases = parseCases(read('cases.md'))
  const findings = parseFindings(read('findings.md'))
  const target = join(root, 'docs', 'conformance.md')
  const table = formatConformance(cases, findings, { decisions, notYet }, evidence)
  if (!existsSync(target) || readFileSync(target, 'utf8') !== table) {
    writeFileSync(target, table)
    say('docs/conformance.md has changed: commit it.')
  }
  if (notYet.length) say(`${notYet.length} cases are not shown yet: ${notYet.join(', ')}`)
  return judgeConformance([...cases, ...findings], { decisions, notYet }, evidence)
}

/** Runs vitest once. @param isShown whether its output is shown at once, and not when it has ended. */
async function vitest(
  args: readonly string[],
  isShown: boolean,
): Promise<{ code: number; report: RunReport }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-run-'))
  const target = join(folder, 'report.json')
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  try {
    const { code, timedOut, output } = await show(
      process.execPath,
      [program, 'run', '--config', 'test/vitest.config.ts', '--allowOnly=false', ...args],
      // LATCHKEY_BUILT spares the package tests a second build, because the previous step has just made one.
      {
        show: isShown,
        timeoutMs: 70 * MINUTE,
        env: { [REPORT_VARIABLE]: target, LATCHKEY_BUILT: filters.length ? '' : '1' },
      },
    )
    process.stdout.write(output)
    if (timedOut) throw new Error('The tests did not end in time and were stopped.')
    if (!existsSync(target)) throw new Error('vitest ended before it had a result.')
    return { code, report: JSON.parse(readFileSync(target, 'utf8')) as RunReport }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Tests in browsers wait for them most of the time, so the others run beside them, and give way to those of all engines. */
async function runAll(): Promise<string> {
  const engines = vitest(['--project=engines'], false)
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const browser = vitest(['--project=browser'], false)
  for (const run of [engines, browser]) run.catch(() => {}) // it may reject before the others have ended
  const others = ['node', 'alone', 'package', 'runtimes', 'end-to-end'].map(name => `--project=${name}`)
  const runs = [await vitest(others, true), await browser, await engines]
  report = joinReports(runs.map(run => run.report))
  const code = Math.max(...runs.map(run => run.code))
  const problems = [...judgeRun(report, code, testFiles()), ...reportConformance(report)]
  if (problems.length > 0) throw new Error(problems.join(' '))
  return Object.entries(report.files)
    .map(([project, files]) => `${project} ${files.length} files`)
    .join(', ')
}

async function runSome(): Promise<string> {
  const run = await vitest(filters, true)
  report = run.report
  if (run.code !== 0) throw new Error('The tests failed.')
  return ''
}

/**
 * Begins at once, beside the other steps: a check keeps one core busy, and a download none. Failures are reported when the
 * result is needed.
 */
const beside = (work: () => Promise<string>): Step['run'] => {
  const found = filters.length > 0 ? undefined : work()
  found?.catch(() => {})
  return () => found ?? work()
}
const browserIsFound = beside(findBrowser)

const checks: Step[] = [
  {
    name: 'lint and format',
    run: beside(script('lint', '`npm run format` repairs what can be repaired by itself.')),
  },
  { name: 'types', run: beside(script('types', 'The lines above name what does not fit.')) },
  { name: 'build', run: beside(script('build', 'The lines above say why.')) },
]
const browser: Step = { name: 'browser', run: browserIsFound }
// one after the other, because all of them may use the same package manager
const enginesAreFound = beside(() => browserIsFound().then(findOtherEngines))
const engines: Step = { name: 'other engines', run: enginesAreFound }
const runtimes: Step = {
  name: 'runtimes, tools',
  run: beside(() => ensureSkeletonTools().then(() => '')),
}
const emulator: Step = {
  name: 'Firebase emulator',
  run: beside(() => ensureFirebaseTools().then(() => '')),
}
const services: Step = {
  name: 'services',
  run: beside(() => enginesAreFound().then(() => ensureServices(say))),
}
const tests: Step = { name: 'tests', run: filters.length > 0 ? runSome : runAll }

const summary: string[] = []
let problem: string | undefined
for (const step of filters.length > 0
  ? [browser, tests]
  : [...checks, browser, engines, runtimes, emulator, services, tests]) {
  say(`\n=== ${step.name}`)
  const begun = performance.now()
  let found = ''
  try {
    found = await step.run()
  } catch (error) {
    problem = `Red at "${step.name}": ${error instanceof Error ? error.message : String(error)}`
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const line =
    `${step.name.padEnd(16)} ${seconds.padStart(7)} s  ${problem ? 'red' : 'ok'}  ${found}`.trimEnd()
  say(`=== ${line}`)
  summary.push(line)
  if (problem) break
}

say(`\n${summary.join('\n')}`)
say(`node: ${process.version}`)
if (report?.files.browser || report?.files['end-to-end']) say(`browsers: ${engine}`)
if (report && filters.length === 0) say(`the slowest test files:\n${slowestFiles(report).join('\n')}`)
if (problem) say(problem)
if (report) say(closingLine(report))
process.exitCode = problem ? 1 : 0
