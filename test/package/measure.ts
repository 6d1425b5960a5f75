import { join } from 'node:path'
import { type Bundle, bundle } from './bundle.ts'

export interface Measured {
  readonly what: string
  readonly size: Bundle['size']
  /** The maximum number of bytes after gzip; `undefined` for sizes shown only for comparison. */
  readonly budget: number | undefined
}

const KB = 1024

/** The client of an app that uses a binding. */
const CLIENT = "export { ConfigurationError, createClient } from 'latchkey'"

/** The budget for an app that uses everything of an entry, minified and with gzip. */
const budgets: Readonly<Record<string, number>> = {
  latchkey: 46.5 * KB,
  'latchkey/node': 49.4 * KB,
  'latchkey/webview': 47 * KB,
  'latchkey/ky': 10 * KB,
  'latchkey/adopt': 11.8 * KB,
  'latchkey/id-token': 3.6 * KB,
  'latchkey/capabilities': 5.3 * KB,
  'latchkey/client-authentication': 2.51 * KB,
  'latchkey/dpop': 7.3 * KB,
  'latchkey/front-channel-logout': 0.5 * KB,
  'latchkey/back-channel-logout': 12 * KB,
  'latchkey/third-party-login': 0.6 * KB,
  'latchkey/inspector': 11.2 * KB,
  'latchkey/clients': 1 * KB,
  'latchkey/grants': 13 * KB,
  'latchkey/keychain': 7.5 * KB,
  'latchkey/redis': 3.6 * KB,
  'latchkey/terminal': 14.2 * KB,
  'latchkey/par': 5.6 * KB,
  'latchkey/providers': 6.8 * KB,
  'latchkey/rar': 1.4 * KB,
  'latchkey/resource-server': 17 * KB,
  'latchkey/sealed': 2.15 * KB,
  'latchkey/session-limits': 1.9 * KB,
  'latchkey/testing': 10.5 * KB,
  'latchkey/userinfo': 11.6 * KB,
  'latchkey/worker': 1.65 * KB,
  'latchkey/worker-host': 46.7 * KB,
}

/** By how much a binding may enlarge an app that has a client, minified and with gzip, without its framework. */
const BINDING_BUDGET = 1.5 * KB
const bindings = [
  'react',
  'react-router',
  'tanstack-router',
  'vue',
  'svelte',
  'solid',
  'angular',
  'angular-http',
]

const used = (built: Bundle, name: string): string[] =>
  [...built.modules]
    .filter(([id]) => id.replaceAll('\\', '/').includes(`/node_modules/${name}/`))
    .flatMap(([, names]) => names)

/**
 * Sizes of all entries, and of their dependencies alone.
 * @param folder the package with its dist.
 */
export async function measure(folder: string): Promise<Measured[]> {
  const importer = join(folder, 'app.js')
  const weigh = (source: string) => bundle(source, importer)
  const whole = await weigh("export * from 'latchkey'")
  const floor = ['oauth4webapi', 'idb-keyval']
    .map(name => ({ name, exports: used(whole, name) }))
    .filter(({ exports }) => exports.length > 0)
    .map(({ name, exports }) => `export { ${exports.join(', ')} } from '${name}'`)
  const shown: [what: string, source: string][] = [
    ['latchkey, createClient alone', "export { createClient } from 'latchkey'"],
    ['its floor: the used parts of oauth4webapi and idb-keyval', floor.join('\n')],
    ['the floor of latchkey/ky: ky', "export { default } from 'ky'"],
  ]
  const entries = Object.entries(budgets).map(async ([what, budget]): Promise<Measured> => {
    return { what, size: (await weigh(`export * from '${what}'`)).size, budget }
  })
  const others = shown.map(async ([what, source]): Promise<Measured> => {
    return { what, size: (await weigh(source)).size, budget: undefined }
  })
  const client = await weigh(CLIENT)
  const added = bindings.map(async (name): Promise<Measured> => {
    const { size } = await weigh(`${CLIENT}\nexport * from 'latchkey/${name}'`)
    const beside = (kind: keyof Bundle['size']) => size[kind] - client.size[kind]
    const more = {
      min: beside('min'),
      gzip: beside('gzip'),
      get brotli() {
        return beside('brotli')
      },
    }
    return { what: `latchkey/${name}, beside the client`, size: more, budget: BINDING_BUDGET }
  })
  return Promise.all([...entries, ...added, ...others])
}

/** A sentence for every entry that exceeds its budget. */
export const overBudget = (measured: readonly Measured[]): string[] =>
  measured.flatMap(({ what, size, budget }) =>
    budget !== undefined && size.gzip > budget
      ? [`${what} has ${size.gzip} bytes with gzip, ${size.gzip - budget} over its budget of ${budget}.`]
      : [],
  )

const MARKS = /(<!-- size -->\n)[\s\S]*?(<!-- \/size -->)/

/** Writes the sizes into a document, between its marks. */
export function writeSizes(document: string, measured: readonly Measured[]): string {
  const kb = (bytes: number) => `${(bytes / KB).toFixed(1)} KB`
  const rows = measured.map(({ what, size }) => {
    const [, name = '', more = ''] = /^(latchkey[^,]*)(.*)$/.exec(what) ?? []
    return `| \`${name}\`${more} | ${kb(size.min)} | ${kb(size.gzip)} | ${kb(size.brotli)} |`
  })
  const table = ['| entry | minified | gzip | brotli |', '| --- | --- | --- | --- |', ...rows]
  return document.replace(MARKS, (_all, begin, end) => `${begin}\n${table.join('\n')}\n\n${end}`)
}

/** The sizes in KB of 1,024 bytes, as a readable table. */
export function formatSizes(measured: readonly Measured[]): string {
  const kb = (bytes: number | undefined) => (bytes === undefined ? '' : (bytes / KB).toFixed(2))
  const rows = [
    ['', 'min KB', 'gzip KB', 'brotli KB', 'budget (gzip)'],
    ...measured.map(({ what, size, budget }) => [
      what,
      kb(size.min),
      kb(size.gzip),
      kb(size.brotli),
      kb(budget),
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
