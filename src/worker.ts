export { worker } from './worker/page.ts'
