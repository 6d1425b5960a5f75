export { type FinishSignInOptions, type GuardOptions, onUserChange } from './bindings/entrance.ts'
export * from './bindings/react-router.ts'
