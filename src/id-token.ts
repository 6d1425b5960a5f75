export * from './actions/id-token.ts'
