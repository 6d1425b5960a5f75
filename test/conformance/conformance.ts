/** What a specification asks of a client. */
export interface Case {
  readonly id: string
  readonly source: string
  readonly requirement: string
  readonly severity: string
  readonly component: string
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

const IDS = / \[([A-Z]{2}\d{2}(?:, [A-Z]{2}\d{2})*)\]$/

/** The cases that a title names, and the title without them. */
export function readTitle(title: string): { ids: readonly string[]; title: string } {
  const ids = IDS.exec(title)?.[1]?.split(', ') ?? []
  return { ids, title: title.replace(IDS, '') }
}

/** Reads cases.md. */
export const parseCases = (markdown: string): readonly Case[] =>
  markdown
    .split('\n')
    .filter(line => /^\| [A-Z]{2}\d{2} \|/.test(line))
    .map(line => {
      const [id = '', source = '', requirement = '', severity = '', component = ''] = line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map(cell => cell.trim())
      return { id, source, requirement, severity, component }
    })

/** The tests of each case; one that ran in several engines stands there once. */
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

/** What makes a full run red: a case that nothing shows, or that is told of in two ways. One sentence per finding. */
export function judgeConformance(
  cases: readonly Case[],
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

/** docs/conformance.md: the same for the same results. */
export function formatConformance(
  cases: readonly Case[],
  { decisions }: Decided,
  evidence: readonly Evidence[],
): string {
  const tests = byCase(evidence)
  const rows = cases.map(({ id, source, requirement, severity, component }) => {
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
    return `| ${[id, source, requirement, severity, component, proof, result].join(' | ')} |`
  })
  const count = (result: RegExp) => rows.filter(row => result.test(row)).length
  return `# What the specifications ask, and the tests that show it

Made by \`npm test\` from the titles and results of its tests: do not edit. A case that no test names, or whose test fails,
makes the run red. Where latchkey decides against a case, its row says why. RFC 10017 is OAuth 2.0 for Browser-Based
Applications; *beyond* is what no specification asks for.

${count(/\| passed \|$/)} passed, ${count(/\| decided \|$/)} decided, ${count(/\*\* \|$/)} missing or failed.

| id | source | given; when: then | severity | component | test or decision | result |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}
