export { onUserChange } from './bindings/entrance.ts'
export * from './bindings/react.ts'
