import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, inject, test } from 'vitest'
import { compile } from '../support/compile.ts'
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

const dom = { lib: ['es2022', 'dom', 'dom.iterable'], types: [] }
const nodeTypes = { lib: ['es2022'], types: ['node'] }

async function check(files: string[], how: object, version: 6 | 7 = 7): Promise<string> {
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    ...how,
  }
  return (await compile(join(app, 'samples'), { compilerOptions, files }, version)).output
}

const modes = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
]
const versions = [6, 7] as const

test.for(versions.flatMap(version => modes.map(how => ({ version, how }))))(
  'apps compile with TypeScript $version and $how.moduleResolution, including library checks',
  async ({ version, how }) => {
    const files = ['browser.ts', 'ky.ts', 'providers.ts', 'sealed.ts']
    expect(await check(files, { ...how, ...dom }, version)).toBe('')
    expect(await check(['node.ts'], { ...how, ...nodeTypes }, version)).toBe('')
  },
)

test.for(versions)(
  'a CommonJS app compiles with TypeScript %i and nodenext, including library checks',
  async version => {
    const how = { module: 'nodenext', moduleResolution: 'nodenext', ...nodeTypes }
    expect(await check(['node.cts'], how, version)).toBe('')
  },
)

test('an app that does not fit the types does not compile', async () => {
  const wrong = samples.browser.replace('// @ts-expect-error', '//')
  writeFileSync(join(app, 'samples', 'wrong.ts'), wrong)
  const output = await check(['wrong.ts'], { module: 'esnext', moduleResolution: 'bundler', ...dom })
  expect(output).toMatch(/^wrong\.ts\(\d+,\d+\): error TS\d+: .*Property 'clientId' is missing/s)
})
