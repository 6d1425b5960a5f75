/** The code that `latchkey/lazy` loads with `import()`: a page with a valid access token does not need it. */
export { createAuthorization } from './authorization/index.ts'
export { createReplay } from './fetch/replay.ts'
export { parseOptions } from './options.ts'
export { authorizationEnvironment } from './platform/browser/authorization-environment.ts'
export { createPlaces } from './platform/browser/places.ts'
export { redirect } from './platform/browser/redirect.ts'
export { tabStorage } from './platform/browser/session-storage.ts'
export { memory } from './platform/memory.ts'
