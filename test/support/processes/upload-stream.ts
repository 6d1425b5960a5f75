import { writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MB, streamed, streamOf } from '../big-bodies.ts'
import { recordedClient } from '../recorded-client.ts'

// Uploads a stream, by bare fetch or by a client, and tells by how much memory grew on the way.
const [origin = '', how = '', megabytes = '0'] = process.argv.slice(2)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const used = () => {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const client = await recordedClient([origin])
const send = how === 'client' ? client.fetch : fetch
// what is loaded and compiled on the way is there before anything is measured
for (let round = 0; round < 3; round++) {
  await (await send(`${origin}/warm`, streamed(streamOf(MB).stream))).text()
}

const before = used()
let most = 0
const { stream, sha256 } = streamOf(Number(megabytes) * MB, soFar => {
  if (soFar % (5 * MB) === 0) most = Math.max(most, used() - before)
})
const response = await send(`${origin}/${how}`, streamed(stream))
most = Math.max(most, used() - before)
await response.text()
const after = used() - before
client.dispose()
writeSync(1, `${JSON.stringify({ status: response.status, sha256: sha256(), most, after })}\n`)
process.exit(0)
