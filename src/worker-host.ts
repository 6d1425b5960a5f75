export { type HostOptions, serve } from './worker/host.ts'
