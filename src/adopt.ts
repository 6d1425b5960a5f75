export * from './actions/adopt.ts'
