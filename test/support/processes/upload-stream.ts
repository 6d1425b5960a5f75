import { writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MB, streamed, streamOf } from '../big-bodies.ts'
import { recordedClient } from '../recorded-client.ts'

// Uploads a stream with plain fetch or with a client, and reports how much memory use grew meanwhile.
const [origin = '', how = '', redirect = 'follow'] = process.argv.slice(2)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: object) => Promise<void>
const used = async () => {
  // the first collection frees memory in the background; the second one waits for that
  for (let time = 0; time < 2; time++) await collect({ type: 'major', execution: 'async' })
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const client = await recordedClient([origin])
// undici keeps a copy of a body that it may have to send again after a redirect; with these options it keeps none
const rest = redirect === 'error' ? ({ redirect, window: null } as const) : {}
const send = how === 'client' ? client.fetch : fetch
// load and compile everything before measuring
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
