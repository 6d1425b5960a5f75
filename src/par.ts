export * from './extensions/par.ts'
