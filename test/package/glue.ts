import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The code that an app contains because of its sign-in library. */
export interface Glue {
  readonly app: string
  readonly lines: number
}

/** Names that the app imports from `library`, or from one of its own files that passes on the library's objects. */
function importedNames(source: string, isLibrary: (from: string) => boolean): string[] {
  return [...source.matchAll(/import\s+\{([^}]*)\}\s+from\s+'([^']+)'/g)]
    .filter(([, , from = '']) => isLibrary(from))
    .flatMap(([, names = '']) => names.split(','))
    .map(
      name =>
        name
          .trim()
          .split(/\s+as\s+/)
          .at(-1) ?? '',
    )
    .filter(name => name && name !== 'apiUrl')
}

/** These names, and those of variables that get a value directly from one of them. A component belongs to the app. */
function withVariables(source: string, names: readonly string[]): Set<string> {
  const known = new Set(names)
  const assigned = /\b(?:const|readonly)\s+(\{[^}=]*\}|[\w$]+)\s*=\s*(?:await\s+|\[)?([\w$]+)/g
  for (const [, variables = '', from = ''] of source.matchAll(assigned)) {
    if (known.has(from)) for (const name of variables.match(/\b[a-z][\w$]*/g) ?? []) known.add(name)
  }
  return known
}

/** Without imports and the client's options, which every library needs in its own form. */
const withoutImportsAndOptions = (source: string): string =>
  source
    .replace(/^\s*import\s[^;]*?\sfrom\s+'[^']+'$/gm, '')
    .replace(/(createClient\(|bootstrapOidc\(|const config = )\{[\s\S]*?^\}/gm, '$1{}')

const wordsOf = (line: string) => line.replace(/'[^']*'/g, '').match(/[\w$]+/g) ?? []

/** Lines that name something of the library, or a value that came from it. */
export function countGlue(source: string, isLibrary: (from: string) => boolean): number {
  const names = withVariables(source, importedNames(source, isLibrary))
  return withoutImportsAndOptions(source)
    .split('\n')
    .filter(line => wordsOf(line).some(word => names.has(word))).length
}

const LIBRARY = /^(latchkey|@auth0|react-oidc-context|oidc-client-ts|oidc-spa)(\/|$)/
/** Files of the apps that pass their client on to others. */
const CLIENT_FILE = /(client\.ts|\/session)$/

/** The lines of glue of every app in `folder`. */
export const glueOf = (folder: string): Glue[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name: app }) => {
      const lines = readdirSync(join(folder, app), { recursive: true, encoding: 'utf8' })
        .filter(file => /\.(tsx?|svelte)$/.test(file))
        .map(file => readFileSync(join(folder, app, file), 'utf8'))
        .map(source => countGlue(source, from => LIBRARY.test(from) || CLIENT_FILE.test(from)))
      return { app, lines: lines.reduce((sum, count) => sum + count, 0) }
    })
