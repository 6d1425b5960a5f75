/** The rules which folder may import which. Paths are relative to src. */

/** What the files of a layer may import. A path that ends in a slash means everything in that folder. */
interface Layer {
  /** The layer's files: one file, or a folder. */
  readonly files: string
  readonly mayImport: readonly string[]
}

/** The files of the second half that grants, extensions and actions may import. */
const DOOR = [
  'core/',
  'errors.ts',
  'authorization/endpoint.ts',
  'authorization/metadata.ts',
  'authorization/failure.ts',
  'authorization/token-request.ts',
]

/**
 * The first matching layer applies to a file. Every layer may import its own folder. Other files at the root are entries
 * and may import anything. `client.ts` and its imports are the first half of a client: they never import `authorization/`,
 * the second half.
 */
export const layers: readonly Layer[] = [
  { files: 'errors.ts', mayImport: [] },
  { files: 'core/', mayImport: ['errors.ts'] },
  { files: 'session/', mayImport: ['core/', 'errors.ts'] },
  { files: 'fetch/', mayImport: ['core/', 'errors.ts'] },
  { files: 'authorization/', mayImport: ['core/', 'errors.ts', 'options.ts'] },
  { files: 'lock/', mayImport: ['core/', 'errors.ts'] },
  { files: 'storage/', mayImport: ['core/', 'errors.ts'] },
  { files: 'platform/', mayImport: ['core/', 'errors.ts', 'storage/', 'lock/'] },
  { files: 'extensions/', mayImport: [...DOOR, 'actions/context.ts'] },
  {
    files: 'grants/',
    mayImport: [...DOOR, 'authorization/sign-in.ts', 'authorization/token-response.ts'],
  },
  { files: 'actions/context.ts', mayImport: ['core/', 'errors.ts', 'fetch/'] },
  {
    files: 'actions/back-channel-logout.ts',
    mayImport: ['core/', 'errors.ts', 'options.ts', 'authorization/', 'storage/', 'platform/device.ts'],
  },
  {
    files: 'actions/adoption.ts',
    mayImport: [...DOOR, 'authorization/sign-in.ts', 'authorization/id-token.ts'],
  },
  { files: 'actions/', mayImport: DOOR },
  { files: 'testing/', mayImport: ['index.ts', 'extending.ts'] },
  {
    files: 'inspector/',
    mayImport: ['index.ts', 'extending.ts', 'core/', 'actions/context.ts', 'fetch/auth-fetch.ts'],
  },
  {
    files: 'providers/firebase.ts',
    mayImport: ['core/', 'errors.ts', 'options.ts', 'authorization/'],
  },
  {
    files: 'providers/',
    mayImport: ['core/', 'errors.ts', 'options.ts'],
  },
  {
    files: 'resource-server/',
    mayImport: [
      'core/',
      'errors.ts',
      'authorization/endpoint.ts',
      'authorization/failure.ts',
      'authorization/metadata.ts',
      'authorization/token-response.ts',
    ],
  },
  {
    // it composes a whole client in a worker
    files: 'worker/host.ts',
    mayImport: [
      'worker/',
      'client.ts',
      'options.ts',
      'core/',
      'errors.ts',
      'authorization/',
      'fetch/replay.ts',
      'platform/',
      'actions/context.ts',
    ],
  },
  { files: 'worker/', mayImport: ['core/', 'errors.ts'] },
  { files: 'options.ts', mayImport: ['core/', 'errors.ts'] },
  {
    files: 'client.ts',
    mayImport: [
      'options.ts',
      'core/',
      'errors.ts',
      'session/',
      'fetch/',
      'storage/limited.ts',
      'actions/context.ts',
    ],
  },
  { files: 'bindings/', mayImport: ['public-types.ts'] },
  { files: 'ky.ts', mayImport: ['core/client.ts'] },
  { files: 'sealed.ts', mayImport: ['core/', 'storage/', 'platform/device.ts'] },
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
