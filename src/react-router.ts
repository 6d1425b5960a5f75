export * from './bindings/react-router.ts'
export { type FinishSignInOptions, type GuardOptions, onUserChange } from './bindings/session-gate.ts'
