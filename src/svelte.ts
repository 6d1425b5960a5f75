export { type GuardOptions, onUserChange } from './bindings/session-gate.ts'
export * from './bindings/svelte.ts'
