export * from './bindings/react.ts'
export { onUserChange } from './bindings/session-gate.ts'
