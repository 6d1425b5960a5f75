export { type FinishSignInOptions, type GuardOptions, onUserChange } from './bindings/session-gate.ts'
export * from './bindings/tanstack-router.ts'
