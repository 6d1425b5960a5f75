export * from './actions/back-channel-logout.ts'
