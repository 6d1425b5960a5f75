export * from './extensions/session-limits.ts'
