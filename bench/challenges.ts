import { judgeAnswer } from '../src/core/challenge.ts'
import { importBundled } from './support/node-bundle.ts'
import { type Bench, median } from './support/report.ts'

const long = (part: string, bytes: number) =>
  `Bearer ${part.repeat(Math.ceil(bytes / part.length))}`.slice(0, bytes)

const plain: Record<string, string> = {
  invalid_token: 'Bearer realm="api", error="invalid_token", error_description="The access token expired"',
  'three challenges':
    'Basic realm="simple", Negotiate YWJj==, Bearer realm="a, b", error="insufficient_scope", scope="x y"',
}
/** Made to be slow for parsers that look back. */
const hostile: Record<string, string> = {
  quotes: '"',
  'escaped quotes': '\\"',
  'quotes that never end': 'a="b, ',
  commas: ',',
  'equals signs': 'a==',
  schemes: 'a ',
  parameters: 'a="b",',
}
const SIZES = [1, 4, 16, 64]

/** µs for one reading. */
const timeOf = (header: string, rounds: number): number => {
  const times: number[] = []
  for (let round = -3; round < rounds; round++) {
    const repeats = header.length > 2000 ? 20 : 500
    const begun = performance.now()
    for (let time = 0; time < repeats; time++) judgeAnswer(401, header)
    if (round >= 0) times.push(((performance.now() - begun) * 1000) / repeats)
  }
  return median(times)
}

/** What an answer costs beyond its fetch: reading its challenges, and what a call leaves to be collected. */
export const bench: Bench = {
  title: 'reading WWW-Authenticate, and what a call leaves to be collected',
  async run({ rounds = 30, say }) {
    say('headers')
    const micro = (header: string) => timeOf(header, rounds).toFixed(1)
    const rows = Object.entries(hostile).map(([what, part]) => [
      what,
      ...SIZES.map(kilobytes => micro(long(part, kilobytes * 1024))),
    ])
    say('allocations')
    type OnNode = typeof import('./support/measure-call.ts')
    const { measureAllocations } = await importBundled<OnNode>('measure-call')
    const bytes = await measureAllocations(rounds, () => process.memoryUsage().heapUsed)
    return {
      tables: [
        {
          title: `usual headers, µs for one; ${rounds} rounds`,
          columns: ['header', 'µs'],
          rows: Object.entries(plain).map(([what, header]) => [what, micro(header)]),
        },
        {
          title: 'hostile headers, µs for one, by their length; what is longer than 16 KB is not read',
          columns: ['made of', ...SIZES.map(size => `${size} KB`)],
          rows,
        },
        {
          title: 'bytes per call on Node, over a fetch that answers at once',
          columns: ['call', 'fetch', 'client.fetch', 'difference'],
          rows: bytes.map(({ kind, bare, latchkey }) => [
            kind,
            median(bare).toFixed(0),
            median(latchkey).toFixed(0),
            (median(latchkey) - median(bare)).toFixed(0),
          ]),
        },
      ],
      notes: ['medians; bytes: turns with a collection in between are left out'],
    }
  },
}
