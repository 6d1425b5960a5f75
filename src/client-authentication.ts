export * from './extensions/client-authentication.ts'
