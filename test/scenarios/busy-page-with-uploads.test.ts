import { afterEach, expect, test } from 'vitest'
import { bytesFrom, MB, streamed, streamOf } from '../support/big-bodies.ts'
import { fingerprint } from '../support/fingerprint.ts'
import { gate } from '../support/gate.ts'
import { authorizationOf } from '../support/recorded.ts'
import { INVALID_TOKEN, type RecordingServer, startRecordingServer } from '../support/recording-server.ts'
import type { StrictAs } from '../support/strict-as.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const servers: RecordingServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()))
})

const GETS = 30
const STEPS = 3
const OWN = 'Basic bWluZQ=='

/** A real HTTP API. `/slow/7` rejects a revoked token only when the test releases it; `/always401` accepts no token. */
async function startApi(as: StrictAs) {
  const steps = Array.from({ length: STEPS }, gate)
  const everySlowOneIsHere = gate()
  let held = 0
  const server = await startRecordingServer({
    async answer(recorded) {
      const accessToken = authorizationOf(recorded)[0]?.replace('Bearer ', '') ?? ''
      const refused = !as.introspect(accessToken) || recorded.url.startsWith('/always401')
      const [, slow] = /^\/slow\/(\d+)$/.exec(recorded.url) ?? []
      if (refused && slow) {
        if (++held === GETS) everySlowOneIsHere.open()
        await steps[Number(slow) % STEPS]?.opened
      }
      return refused ? { status: 401, headers: { 'www-authenticate': INVALID_TOKEN } } : { status: 200 }
    },
  })
  servers.push(server)
  const { origin, records } = server
  const sent = (path: string) => records.filter(({ url }) => url.startsWith(path))
  return { origin, records, steps, everySlowOneIsHere: everySlowOneIsHere.opened, sent }
}

const statuses = async (calls: Promise<Response>[]) => (await Promise.all(calls)).map(({ status }) => status)
const all = (status: number, count: number) => Array<number>(count).fill(status)

test('a busy page refreshes a revoked access token once, and every upload arrives complete', async () => {
  const { signedIn, as, fetch: toServer } = world()
  const api = await startApi(as)
  const client = await signedIn({
    allowedOrigins: [api.origin],
    fetch: (input, init) =>
      String(input).startsWith(as.issuer) ? toServer(input, init) : globalThis.fetch(input, init),
  })
  as.revokeAccessTokens()

  const json = JSON.stringify({ text: 'grüß', tags: ['one', 'two'] })
  const form = new FormData()
  form.append('file', new File([bytesFrom(1, 5 * MB)], 'holiday.jpg', { type: 'image/jpeg' }))
  const blob = new Blob([bytesFrom(2, MB)], { type: 'image/png' })
  const { stream, sha256 } = streamOf(50 * MB)
  const jsonInit = { method: 'POST', headers: { 'content-type': 'application/json' }, body: json }

  const slow = Array.from({ length: GETS }, (_, n) => client.fetch(`${api.origin}/slow/${n}`))
  const posts = [
    client.fetch(`${api.origin}/json`, jsonInit),
    client.fetch(`${api.origin}/form`, { method: 'POST', body: form }),
    client.fetch(new Request(`${api.origin}/blob`, { method: 'PUT', body: blob })),
  ]
  const streaming = client.fetch(`${api.origin}/stream`, streamed(stream))
  const futile = Array.from({ length: 20 }, (_, n) => client.fetch(`${api.origin}/always401?n=${n}`))
  const own = client.fetch(`${api.origin}/own`, { headers: { Authorization: OWN } })

  await api.everySlowOneIsHere
  for (const [step, { open }] of api.steps.entries()) {
    open()
    const released = slow.filter((_, n) => n % STEPS === step)
    expect(await statuses(released)).toEqual(all(200, GETS / STEPS))
  }
  expect(await statuses(posts)).toEqual(all(200, 3))
  expect(await statuses(futile)).toEqual(all(401, 20))
  expect(await statuses([streaming, own])).toEqual([401, 401])
  // a later caller gains nothing from another refresh
  expect(await statuses([client.fetch(`${api.origin}/always401?n=later`)])).toEqual([401])

  expect(as.count('refresh_token')).toBe(1)
  expect(client.session.status).toBe('signed-in')
  for (let n = 0; n < GETS; n++) {
    expect(api.records.filter(({ url }) => url === `/slow/${n}`)).toHaveLength(2)
  }
  const prints = {
    json: fingerprint(new TextEncoder().encode(json)),
    form: fingerprint(new Uint8Array(await new Response(form).arrayBuffer())),
    blob: fingerprint(new Uint8Array(await blob.arrayBuffer())),
  }
  for (const [name, print] of Object.entries(prints)) {
    const sent = api.sent(`/${name}`)
    expect(sent.at(-1), name).toMatchObject(print)
    // calls that start later use the new token from the beginning
    expect([1, 2], name).toContain(sent.length)
    expect(sent[0], name).toMatchObject(print)
  }
  expect(api.sent('/stream')).toMatchObject([{ sha256: sha256(), length: 50 * MB }])
  for (let n = 0; n < 20; n++) {
    expect([1, 2]).toContain(api.records.filter(({ url }) => url === `/always401?n=${n}`).length)
  }
  expect(api.sent('/always401?n=later')).toHaveLength(1)
  expect(api.sent('/own').map(authorizationOf)).toEqual([[OWN]])
})
