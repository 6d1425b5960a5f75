import { afterAll, beforeAll } from 'vitest'
import { type RecordingServer, startRecordingServer } from '../support/recording-server.ts'
import { secondOriginContract } from './second-origin.ts'

let api: RecordingServer
let elsewhere: RecordingServer

beforeAll(async () => {
  api = await startRecordingServer()
  elsewhere = await startRecordingServer()
})
afterAll(() => Promise.all([api.close(), elsewhere.close()]))

secondOriginContract('the fetch of Node', () => ({
  api: api.origin,
  elsewhere: elsewhere.origin,
  take: origin => (origin === api.origin ? api : elsewhere).take('/'),
  subdomains: false,
  relative: false,
}))
