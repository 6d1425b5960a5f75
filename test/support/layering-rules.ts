/** STYLE.md's table "which folder may import which", as data. Paths are relative to src. */

/** What the files of a layer may import; a folder ends in a slash and stands for everything in it. */
interface Layer {
  /** The layer's files: one file, or a folder. */
  readonly files: string
  readonly mayImport: readonly string[]
}

/** Of the flow: what every request to the authorization server shares. */
const CAPABILITY = [
  'core/',
  'errors.ts',
  'flow/client-identity.ts',
  'flow/discovery.ts',
  'flow/failure.ts',
  'flow/token-request.ts',
]

/** The first layer that a file belongs to holds; every layer may import its own folder. */
export const layers: readonly Layer[] = [
  { files: 'errors.ts', mayImport: [] },
  { files: 'options.ts', mayImport: ['option-checks.ts', 'core/', 'errors.ts'] },
  { files: 'option-checks.ts', mayImport: ['core/', 'errors.ts'] },
  {
    files: 'client.ts',
    mayImport: [
      'action-context.ts',
      'session/',
      'options.ts',
      'core/',
      'errors.ts',
      'store/',
      'flow/',
      'refresh/',
      'fetch/',
    ],
  },
  { files: 'session/', mayImport: ['core/', 'errors.ts', 'store/', 'refresh/'] },
  { files: 'action-context.ts', mayImport: ['core/', 'errors.ts', 'fetch/', 'flow/'] },
  { files: 'ky.ts', mayImport: ['client.ts', 'core/client.ts'] },
  { files: 'runtime/dpop.ts', mayImport: ['core/', 'extensions/', 'store/', 'runtime/device-clock.ts'] },
  { files: 'runtime/sealed.ts', mayImport: ['core/', 'store/', 'runtime/device-clock.ts'] },
  { files: 'public-types.ts', mayImport: ['core/', 'errors.ts', 'options.ts'] },
  { files: 'index.ts', mayImport: [''] },
  { files: 'core/', mayImport: ['errors.ts'] },
  { files: 'store/', mayImport: ['core/', 'errors.ts'] },
  { files: 'flow/', mayImport: ['core/', 'errors.ts'] },
  { files: 'refresh/', mayImport: ['core/', 'errors.ts'] },
  { files: 'fetch/', mayImport: ['core/', 'errors.ts'] },
  { files: 'grants/', mayImport: CAPABILITY },
  { files: 'extensions/', mayImport: CAPABILITY },
  { files: 'actions/', mayImport: CAPABILITY },
  { files: 'providers/', mayImport: CAPABILITY },
  { files: 'resource-server/', mayImport: ['core/', 'errors.ts'] },
  { files: 'runtime/', mayImport: [''] },
]

/** The only files that may import a package. */
export const doors: Readonly<Record<string, readonly string[]>> = {
  'idb-keyval': ['store/indexeddb.ts'],
  ky: ['ky.ts'],
  oauth4webapi: ['flow/', 'grants/', 'extensions/', 'actions/', 'resource-server/'],
}

/** Where the environment may be named, in globals and in `node:` imports. */
export const edges: readonly string[] = ['runtime/', 'store/', 'refresh/lock-', 'refresh/channel.ts']

/** Entries that have to load where there is no Node. */
export const browserEntries: readonly string[] = [
  'index.ts',
  'ky.ts',
  'runtime/sealed.ts',
  'runtime/webview.ts',
  'runtime/capabilities.ts',
  'runtime/dpop.ts',
  'actions/front-channel-logout.ts',
  'runtime/back-channel-logout.ts',
  'runtime/third-party-login.ts',
  'actions/userinfo.ts',
  'extensions/client-authentication.ts',
  'extensions/par.ts',
  'extensions/rar.ts',
]

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
