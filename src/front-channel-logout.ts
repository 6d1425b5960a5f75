export * from './actions/front-channel-logout.ts'
