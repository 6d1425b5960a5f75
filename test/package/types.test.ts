import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { beforeAll, expect, inject, test } from 'vitest'
import { link } from './installed.ts'

const { app } = inject('packed')

const samples = {
  browser: `
    import { createClient, LatchkeyError, type Client } from 'latchkey'
    const client: Client = createClient({
      issuer: 'https://id.example.com',
      clientId: 'my-spa',
      redirectUri: '/callback',
      allowedOrigins: ['https://api.example.com'],
    })
    export const response: Promise<Response> = client.fetch('https://api.example.com/me')
    export const isOurs = (error: unknown): boolean => error instanceof LatchkeyError && error.retryable
    // @ts-expect-error: the client id is missing
    createClient({ issuer: 'https://id.example.com', redirectUri: '/', allowedOrigins: [] })`,
  node: `
    import { createClient } from 'latchkey/node'
    const client = createClient({
      issuer: 'https://id.example.com',
      clientId: 'my-cli',
      allowedOrigins: ['https://api.example.com'],
    })
    export const status: Promise<number> = client.fetch('https://api.example.com/me').then(r => r.status)`,
  ky: `
    import { createClient } from 'latchkey'
    import { createKy } from 'latchkey/ky'
    const client = createClient({
      server: {
        issuer: 'https://id.example.com',
        authorization_endpoint: 'https://id.example.com/authorize',
        token_endpoint: 'https://id.example.com/token',
      },
      clientId: 'my-spa',
      redirectUri: '/callback',
      allowedOrigins: ['https://api.example.com'],
    })
    export const notes = createKy(client, { retry: 0 }).get('https://api.example.com/notes').json<string[]>()`,
  providers: `
    import { createClient } from 'latchkey'
    import { entra, google, spotify } from 'latchkey/providers'
    const app = { redirectUri: '/callback', allowedOrigins: ['https://api.example.com'] }
    export const clients = [
      createClient({ ...google({ clientId: 'a', offline: false }), ...app }),
      createClient({ ...spotify({ clientId: 'a', scope: ['user-read-email'] }), ...app }),
      createClient({ ...entra({ clientId: 'a', tenant: 'common' }), ...app, strict: true }),
    ]
    // @ts-expect-error: no tenant
    entra({ clientId: 'a' })`,
  sealed: `
    import { createClient, indexedDb, type Store } from 'latchkey'
    import { sealed } from 'latchkey/sealed'
    const store: Store = sealed(indexedDb())
    export const client = createClient({
      issuer: 'https://id.example.com',
      clientId: 'my-spa',
      redirectUri: '/callback',
      allowedOrigins: ['https://api.example.com'],
      store,
    })`,
}

beforeAll(() => {
  mkdirSync(join(app, 'samples'), { recursive: true })
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', type: 'module' }))
  for (const [name, source] of Object.entries(samples))
    writeFileSync(join(app, 'samples', `${name}.ts`), source)
  writeFileSync(join(app, 'samples', 'node.cts'), samples.node)
  // Settings that every Node app in TypeScript has.
  link(app, '@types/node')
  link(app, 'undici-types')
})

const modes: [string, ts.ModuleKind, ts.ModuleResolutionKind][] = [
  ['node16', ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
  ['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
  ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
]
const dom = { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'], types: [] }
const nodeTypes = { lib: ['lib.es2022.d.ts'], types: ['node'] }

function compile(files: string[], how: ts.CompilerOptions): string[] {
  const program = ts.createProgram(
    files.map(file => join(app, 'samples', file)),
    {
      target: ts.ScriptTarget.ES2022,
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      typeRoots: [join(app, 'node_modules/@types')],
      ...how,
    },
  )
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${file?.fileName.replace(app, '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
}

test.each(modes)('apps compile with %s, including library checks', (_name, module, moduleResolution) => {
  expect(
    compile(['browser.ts', 'ky.ts', 'providers.ts', 'sealed.ts'], { module, moduleResolution, ...dom }),
  ).toEqual([])
  expect(compile(['node.ts'], { module, moduleResolution, ...nodeTypes })).toEqual([])
})

test('a CommonJS app compiles with nodenext, including library checks', () => {
  const nodenext = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }
  expect(compile(['node.cts'], { ...nodenext, ...nodeTypes })).toEqual([])
})
