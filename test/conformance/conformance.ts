/** A requirement of a specification for a client. */
export interface Case {
  readonly id: string
  readonly source: string
  readonly requirement: string
  readonly severity: string
  readonly component: string
}

/** A fault of an earlier version. */
export interface Finding {
  readonly id: string
  readonly seen: string
  readonly right: string
}

/** One test that names cases, in one run of it. */
export interface Evidence {
  readonly ids: readonly string[]
  /** Relative to the repository. */
  readonly file: string
  /** Its title, without the ids. */
  readonly title: string
  readonly passed: boolean
}

export interface Decided {
  /** Why there is no test, by id. */
  readonly decisions: Readonly<Record<string, string>>
  /** Ids that have neither a test nor a decision yet. */
  readonly notYet: readonly string[]
}

const ID = '(?:[A-Z]{2}\\d{2}|F\\d\\.\\d+)'
const IDS = new RegExp(` \\[(${ID}(?:, ${ID})*)\\]$`)

/** The cases that a title names, and the title without them. */
export function readTitle(title: string): { ids: readonly string[]; title: string } {
  const ids = IDS.exec(title)?.[1]?.split(', ') ?? []
  return { ids, title: title.replace(IDS, '') }
}

/** Reads the titles of suites and of the test in them: an id in the title of a suite is shown by each of its tests. */
export function readTitles(titles: readonly string[]): { ids: readonly string[]; title: string } {
  const read = titles.map(readTitle)
  return { ids: [...new Set(read.flatMap(({ ids }) => ids))], title: read.at(-1)?.title ?? '' }
}

const cellsOf = (row: string): string[] =>
  row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map(cell => cell.trim())

const rowsOf = (markdown: string, id: RegExp): string[][] =>
  markdown
    .split('\n')
    .map(cellsOf)
    .filter(([first = '']) => id.test(first))

/** Reads cases.md. */
export const parseCases = (markdown: string): readonly Case[] =>
  rowsOf(markdown, /^[A-Z]{2}\d{2}$/).map(
    ([id = '', source = '', requirement = '', severity = '', component = '']) => ({
      id,
      source,
      requirement,
      severity,
      component,
    }),
  )

/** Reads findings.md, whose rows contain the fault and the correct behaviour. */
export const parseFindings = (markdown: string): readonly Finding[] =>
  rowsOf(markdown, /^F\d\.\d+$/).map(([id = '', seen = '', right = '']) => ({ id, seen, right }))

/** The tests of each case. A test that ran in several engines is listed once. */
function byCase(evidence: readonly Evidence[]): ReadonlyMap<string, ReadonlyMap<string, boolean>> {
  const found = new Map<string, Map<string, boolean>>()
  for (const { ids, file, title, passed } of evidence) {
    for (const id of ids) {
      const tests = found.get(id) ?? new Map<string, boolean>()
      const test = `\`${file}\`: ${title}`
      tests.set(test, passed && tests.get(test) !== false)
      found.set(id, tests)
    }
  }
  return found
}

/**
 * The reasons why a full run is red: a case without evidence, or with contradictory statements. One sentence per finding.
 */
export function judgeConformance(
  cases: readonly { readonly id: string }[],
  { decisions, notYet }: Decided,
  evidence: readonly Evidence[],
): string[] {
  const tests = byCase(evidence)
  const known = new Set(cases.map(({ id }) => id))
  const listed = [...tests.keys(), ...Object.keys(decisions), ...notYet]
  const unknown = [...new Set(listed)].filter(id => !known.has(id))
  const of = (is: (id: string) => boolean) => [...known].filter(is)
  const missing = of(id => !tests.has(id) && !decisions[id] && !notYet.includes(id))
  const twice = of(id => (tests.has(id) || notYet.includes(id)) && decisions[id] !== undefined)
  const shown = of(id => tests.has(id) && notYet.includes(id))
  const failing = of(id => [...(tests.get(id)?.values() ?? [])].includes(false))
  const problem = (ids: readonly string[], what: string) =>
    ids.length ? [`${what}: ${ids.join(', ')}.`] : []
  return [
    ...problem(unknown, 'Tests or decisions name cases that do not exist'),
    ...problem(missing, 'Cases have neither a test nor a decision'),
    ...problem(twice, 'Cases have a test and a decision against them'),
    ...problem(shown, 'Cases have a test and still stand in notYet'),
    ...problem(failing, 'Cases have a test that failed'),
  ]
}

/** docs/conformance.md, identical for identical results. */
export function formatConformance(
  cases: readonly Case[],
  findings: readonly Finding[],
  { decisions }: Decided,
  evidence: readonly Evidence[],
): string {
  const tests = byCase(evidence)
  const rowOf = (id: string, ...cells: string[]) => {
    const found = [...(tests.get(id) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    const isShown = found.every(([, passed]) => passed)
    const result = found.length
      ? isShown
        ? 'passed'
        : '**failed**'
      : decisions[id]
        ? 'decided'
        : '**missing**'
    const proof = found.map(([test]) => test.replaceAll('|', '\\|')).join('<br>') || (decisions[id] ?? '')
    return `| ${[id, ...cells, proof, result].join(' | ')} |`
  }
  const ofCases = cases.map(({ id, source, requirement, severity, component }) =>
    rowOf(id, source, requirement, severity, component),
  )
  const ofFindings = findings.map(({ id, seen, right }) => rowOf(id, seen, right))
  const sum = (rows: readonly string[]) => {
    const count = (result: RegExp) => rows.filter(row => result.test(row)).length
    return `${count(/\| passed \|$/)} passed, ${count(/\| decided \|$/)} decided, ${count(/\*\* \|$/)} missing or failed.`
  }
  return `# What the specifications ask, and the tests that show it

\`npm test\` writes this page from the titles and results of its tests: do not edit it. A row that no test names, or whose
test fails, makes the run red. Where latchkey decides against a row, the row says why. RFC 10017 is OAuth 2.0 for
Browser-Based Applications; *beyond* is what no specification asks for.

${sum(ofCases)}

| id | source | given; when: then | severity | component | test or decision | result |
| --- | --- | --- | --- | --- | --- | --- |
${ofCases.join('\n')}

## What version 0.1.0 got wrong

${sum(ofFindings)}

| id | seen in 0.1.0 | right | test or decision | result |
| --- | --- | --- | --- | --- |
${ofFindings.join('\n')}
`
}
