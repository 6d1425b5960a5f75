export * from './bindings/angular.ts'
export { type GuardOptions, onUserChange } from './bindings/session-gate.ts'
