import { writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MB, streamed, streamOf } from '../big-bodies.ts'
import { recordedClient } from '../recorded-client.ts'

// Uploads a stream, by bare fetch or by a client, and tells by how much memory grew on the way.
const [origin = '', how = '', redirect = 'follow'] = process.argv.slice(2)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: object) => Promise<void>
const used = async () => {
  // what the first time finds is freed beside it: the second time waits for that
  for (let time = 0; time < 2; time++) await collect({ type: 'major', execution: 'async' })
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const client = await recordedClient([origin])
// undici keeps a copy of every body that it may have to send to another place; so told, it has none to keep
const rest = redirect === 'error' ? ({ redirect, window: null } as const) : {}
const send = how === 'client' ? client.fetch : fetch
// what is loaded and compiled on the way is there before anything is measured
for (let round = 0; round < 3; round++) {
  await (await send(`${origin}/warm`, streamed(streamOf(MB).stream, rest))).text()
}

const before = await used()
let most = 0
const { stream, sha256 } = streamOf(50 * MB, async soFar => {
  if (soFar % (5 * MB) === 0) most = Math.max(most, (await used()) - before)
})
const response = await send(`${origin}/${how}`, streamed(stream, rest))
most = Math.max(most, (await used()) - before)
await response.text()
const after = (await used()) - before
client.dispose()
writeSync(1, `${JSON.stringify({ status: response.status, sha256: sha256(), most, after })}\n`)
process.exit(0)
