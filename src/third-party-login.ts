export * from './actions/third-party-login.ts'
