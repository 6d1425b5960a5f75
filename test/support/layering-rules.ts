/** The rules which folder may import which. Paths are relative to src. */

const BASE = ['core/', 'errors.ts']

/** The files of the second half that other parts of a client may import. */
const DOOR = ['authorization/endpoint.ts', 'authorization/metadata.ts', 'authorization/failure.ts']

/**
 * The layers, the lowest first: files, or folders with a slash at the end, and what they may import besides their own folder.
 * Other files at the root are entries and may import anything. `client.ts` and what it imports are the first half of a
 * client: they never import `authorization/`, the second half.
 */
export const layers: readonly (readonly [files: readonly string[], mayImport: readonly string[]])[] = [
  [['errors.ts'], []],
  [['core/'], ['errors.ts']],
  [['session/', 'fetch/', 'lock/', 'storage/', 'worker/', 'options.ts', 'authorization/'], BASE],
  [['platform/'], [...BASE, 'storage/', 'lock/']],
  [['actions/context.ts'], [...BASE, 'fetch/']], // it sends requests as the client does
  [['providers/'], [...BASE, 'options.ts']],
  [
    ['actions/', 'extensions/'],
    [...BASE, ...DOOR],
  ],
  [
    ['grants/', 'resource-server/'],
    [...BASE, ...DOOR, 'authorization/token-response.ts'],
  ],
  [['client.ts'], [...BASE, 'options.ts', 'session/', 'fetch/', 'storage/limited.ts', 'actions/context.ts']],
  [
    ['testing/', 'inspector/'],
    ['index.ts', 'extending.ts'],
  ],
  [['bindings/'], ['public-types.ts']],
  [['ky.ts'], ['core/client.ts']],
  [['sealed.ts'], ['core/', 'storage/', 'platform/device.ts']],
]

/** Files that may import more than their layer. */
export const exceptions: Readonly<Record<string, readonly string[]>> = {
  'extensions/rar.ts': ['actions/context.ts'],
  // they end in a session, as a sign-in does
  'actions/adoption.ts': ['token-request', 'sign-in', 'id-token'].map(name => `authorization/${name}.ts`),
  'grants/attended.ts': ['token-request', 'sign-in'].map(name => `authorization/${name}.ts`),
  'providers/firebase.ts': ['authorization/'],
  // they have no client: each composes what it needs
  'actions/back-channel-logout.ts': ['options.ts', 'authorization/', 'storage/', 'platform/device.ts'],
  'worker/host.ts': [
    ...['client.ts', 'options.ts', 'authorization/', 'fetch/replay.ts', 'platform/'],
    'actions/context.ts',
  ],
  // the tool of developers shows what apps cannot see
  'inspector/force.ts': ['core/', 'fetch/auth-fetch.ts', 'actions/context.ts'],
  'inspector/arrows.ts': ['core/destination.ts'],
}

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
