import type { TestProject } from 'vitest/node'
import { type RecordingServer, startRecordingServer } from '../support/recording-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The origin of two servers that record what pages send. */
    recording: { api: string; elsewhere: string }
    /** The seed of random tests. */
    seed: number
  }
}

let servers: RecordingServer[] = []

/** Pages have no servers: they read the recorded requests over HTTP. */
export async function setup(project: TestProject): Promise<void> {
  const [api, elsewhere] = await Promise.all([startRecordingServer(), startRecordingServer()])
  servers = [api, elsewhere]
  project.provide('recording', { api: api.origin, elsewhere: elsewhere.origin })
  project.provide('seed', Number(process.env.LATCHKEY_SEED ?? 1))
}

export async function teardown(): Promise<void> {
  await Promise.all(servers.map(server => server.close()))
}
