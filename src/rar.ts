export * from './extensions/rar.ts'
