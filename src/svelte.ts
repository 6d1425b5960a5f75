export { type GuardOptions, onUserChange } from './bindings/entrance.ts'
export * from './bindings/svelte.ts'
