/** The rules which folder may import which. Paths are relative to src. */

/**
 * From the bottom to the top. A file may import its own folder and every layer below, but nothing beside it or above. All other
 * files at the root are entries. They compose the rest, so they may import anything.
 */
export const layers: readonly (readonly string[])[] = [
  ['errors.ts'],
  ['core/'],
  ['options.ts', 'session/', 'fetch/', 'storage/', 'lock/'],
  ['actions/context.ts'],
  // the client and its second half do not know each other
  ['client.ts', 'authorization/', 'platform/'],
  ['extensions/', 'actions/', 'grants/', 'providers/', 'resource-server/', 'worker/'],
  ['entries'],
  ['bindings/', 'testing/', 'inspector/'],
]

/** Where a layer below is not open as a whole: of `to`, the files `from` import only these. */
export const limits: readonly {
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly only: readonly string[]
}[] = [
  { from: ['authorization/'], to: ['session/', 'fetch/', 'storage/', 'lock/'], only: [] },
  { from: ['platform/'], to: ['session/', 'fetch/'], only: [] },
  {
    from: ['extensions/', 'actions/', 'grants/', 'providers/', 'resource-server/'],
    to: ['authorization/'],
    only: ['endpoint', 'metadata', 'failure', 'token-request', 'token-response', 'id-token', 'logout-token']
      .concat('sign-in')
      .map(name => `authorization/${name}.ts`),
  },
  // what is built on the public API shows that the public API is enough
  { from: ['bindings/'], to: [''], only: ['public-types.ts'] },
  { from: ['testing/'], to: [''], only: ['index.ts', 'extending.ts'] },
  { from: ['ky.ts'], to: [''], only: ['core/client.ts'] },
]

/** The only files that may import a package. */
export const doors: Readonly<Record<string, readonly string[]>> = {
  'idb-keyval': ['storage/indexeddb.ts'],
  ky: ['ky.ts'],
  '@napi-rs/keyring': ['storage/keychain.ts'],
  ...Object.fromEntries(
    ['react', 'vue', 'svelte', 'solid'].map(name => [
      name === 'solid' ? 'solid-js' : name,
      [`bindings/${name}.ts`],
    ]),
  ),
  '@angular/core': ['bindings/angular'],
  '@angular/common': ['bindings/angular'],
  '@angular/router': ['bindings/angular.ts'],
  rxjs: ['bindings/angular-http.ts'],
  oauth4webapi: [
    'authorization/',
    'grants/',
    'extensions/',
    'actions/',
    'providers/apple.ts',
    'resource-server/',
  ],
}

/** The files that may use the environment: its globals and `node:` imports. */
export const edges: readonly string[] = [
  'platform/',
  'storage/',
  'lock/',
  'inspector/',
  'actions/third-party',
  'node.ts',
  'webview.ts',
  'dpop.ts',
  'lazy.ts',
  'bindings/session-gate.ts',
  'worker/',
]

/** Entries that need Node. All others must load without it. */
export const nodeEntries: readonly string[] = ['node.ts', 'redis.ts', 'keychain.ts', 'terminal.ts']

/** Globals of one environment. */
export const environmentGlobals: ReadonlySet<string> = new Set([
  'window',
  'document',
  'navigator',
  'localStorage',
  'sessionStorage',
  'indexedDB',
  'location',
  'history',
])

/** Globals that the core may not use either: time, random numbers, network. */
export const impureGlobals: ReadonlySet<string> = new Set([
  'crypto',
  'performance',
  'fetch',
  'setTimeout',
  'setInterval',
  'clearTimeout',
  'clearInterval',
  'setImmediate',
  'requestAnimationFrame',
  'BroadcastChannel',
  'MessageChannel',
  'Worker',
  'console',
  'process',
  'Buffer',
])

/** Names of the global object. */
export const globalObjects: ReadonlySet<string> = new Set(['globalThis', 'self', 'window', 'global'])

/** Whether `file` is in one of `places`: a file, a folder with a slash at the end, or the beginning of a file name. */
export const isIn = (file: string, places: readonly string[]): boolean =>
  places.some(place => file === place || (!place.endsWith('.ts') && file.startsWith(place)))
