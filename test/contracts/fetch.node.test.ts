import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll } from 'vitest'
import { type RecordingServer, startRecordingServer } from '../support/recording-server.ts'
import { fetchContract } from './fetch.ts'

let server: RecordingServer

beforeAll(async () => {
  server = await startRecordingServer()
})
afterAll(() => server.close())

fetchContract('fetch of Node', () => ({
  origin: server.origin,
  take: under => server.take(under),
  kinds: { streams: true, relative: false, realm: 'buffers' },
  realm: runInNewContext('globalThis'),
  shuffles: false,
  seed: Number(process.env.LATCHKEY_SEED ?? 1),
}))
