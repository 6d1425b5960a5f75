/** What `latchkey/lazy` loads by `import()`: all that a page with a fresh session does without. */
export { createAuthorization } from './authorization/index.ts'
export { parseOptions } from './options.ts'
export { createPlaces } from './platform/browser/places.ts'
export { tabStorage } from './platform/browser/session-storage.ts'
