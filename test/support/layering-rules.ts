/** STYLE.md's table "which folder may import which", as data. Paths are relative to src. */

/** What the files of a layer may import; a folder ends in a slash and stands for everything in it. */
interface Layer {
  /** The layer's files: one file, or a folder. */
  readonly files: string
  readonly mayImport: readonly string[]
}

/** What functions of other entries see of the talk with the authorization server. */
const DOOR = [
  'core/',
  'errors.ts',
  'authorization/endpoint.ts',
  'authorization/metadata.ts',
  'authorization/failure.ts',
  'authorization/token-request.ts',
]

/**
 * The first layer that a file belongs to holds; every layer may import its own folder. Other files at the root are
 * entries, which join what they need. `client.ts` and what it imports are the first half of a client: none of it imports
 * `authorization/`, the second.
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
    // a whole client, in a worker
    files: 'worker/host.ts',
    mayImport: [
      'worker/',
      'client.ts',
      'options.ts',
      'core/',
      'errors.ts',
      'authorization/',
      'platform/',
      'actions/context.ts',
    ],
  },
  { files: 'worker/', mayImport: ['core/', 'errors.ts'] },
  { files: 'options.ts', mayImport: ['core/', 'errors.ts'] },
  {
    files: 'client.ts',
    mayImport: ['options.ts', 'core/', 'errors.ts', 'session/', 'fetch/', 'storage/limited.ts'],
  },
  { files: 'bindings/', mayImport: ['public-types.ts'] },
  { files: 'worker/protocol.ts', mayImport: ['core/'] },
  { files: 'worker/page.ts', mayImport: ['core/'] },
  {
    files: 'worker/host.ts',
    mayImport: [
      'client.ts',
      'options.ts',
      'core/',
      'authorization/index.ts',
      'actions/context.ts',
      'platform/',
    ],
  },
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

/** Where the environment may be named, in globals and in `node:` imports. */
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
  'bindings/entrance.ts',
  'worker/',
]

/** Entries that need Node; all others have to load where there is none. */
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

/** What the core may not reach either: time, chance, the outside. */
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

/** Names of the object that all globals hang on. */
export const globalObjects: ReadonlySet<string> = new Set(['globalThis', 'self', 'window', 'global'])

/** Whether `file` is one of `places`: a file, a folder with its slash, or the beginning of a file's name. */
export const isIn = (file: string, places: readonly string[]): boolean =>
  places.some(place => file === place || (!place.endsWith('.ts') && file.startsWith(place)))
