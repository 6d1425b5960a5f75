export { onUserChange } from './bindings/session-gate.ts'
export * from './bindings/solid.ts'
