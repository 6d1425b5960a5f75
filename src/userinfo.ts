export * from './actions/userinfo.ts'
