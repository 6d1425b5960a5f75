import { setTimeout as wait } from 'node:timers/promises'
import type { Store } from '../../../src/core/ports.ts'
import { createClient, file } from '../../../src/node.ts'
import type { TerminalConfig, TerminalNews, TerminalOrder } from '../terminals.ts'

// A command-line tool that calls an API repeatedly, with its tokens in a file on a slow disk. Before it sends a token
// request it asks its parent, so that the parent knows which process is in one. A token request is over when its tokens
// are stored, or when it has failed.
const { issuer, apiUrl, path, diskMs, pauseMs, name, isWatched }: TerminalConfig = JSON.parse(
  process.argv[2] ?? '',
)

const tell = (news: TerminalNews) => process.send?.(news)
const note = (text: string) => {
  if (isWatched) tell({ type: 'note', at: Date.now(), text })
}
let isTold = false
let isAnswered = false
let allow = () => {}
process.on('message', (order: TerminalOrder) => {
  if (order === 'send') allow()
  else isTold = true
})
process.once('disconnect', () => {
  if (!isTold) process.exit(1) // the parent can no longer end it
})
const between = ([from, to]: readonly [number, number]) => from + Math.random() * (to - from)

/** Refreshes in the background, which continue after their call. */
const underWay = new Set<Promise<unknown>>()
const onDisk = file(path)
const store: Store = {
  ...onDisk,
  keyValue: {
    ...onDisk.keyValue,
    async update(key, change) {
      await wait(between(diskMs))
      note('begins to write')
      await onDisk.keyValue.update(key, change)
      note('wrote')
      if (isAnswered) tell({ type: 'over' })
      isAnswered = false
    },
  },
  lock: {
    async run(name, work, waitMs) {
      tell({ type: 'phase', phase: 'waits' })
      const run = onDisk.lock.run(
        name,
        () => {
          tell({ type: 'phase', phase: 'holds' })
          note('holds')
          return work()
        },
        waitMs,
      )
      underWay.add(run)
      try {
        return await run
      } finally {
        underWay.delete(run)
        note('let go')
        tell({ type: 'phase', phase: 'works' })
      }
    },
  },
}

const client = createClient({
  issuer,
  clientId: 'demo-cli',
  scope: 'openid offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
  store,
  async fetch(input, init) {
    if (String(input) !== `${issuer}/token`) return fetch(input, init)
    const allowed = new Promise<void>(resolve => {
      allow = resolve
    })
    tell({ type: 'asks' })
    await allowed
    let isGranted = false
    const headers = new Headers(init?.headers)
    if (name) headers.set('x-terminal', name)
    try {
      const response = await fetch(input, { ...init, headers })
      isGranted = response.ok
      return response
    } finally {
      if (isGranted) isAnswered = true
      else tell({ type: 'over' })
    }
  },
})

if (isWatched)
  client.events.subscribe(event => {
    if (!event.type.startsWith('api-')) note(JSON.stringify(event))
  })

const outcomeOf = async (): Promise<number | string> => {
  try {
    const response = await client.fetch(apiUrl)
    await response.body?.cancel()
    return response.status
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

while (!isTold) {
  const from = performance.now()
  const outcome = await outcomeOf()
  tell({ type: 'call', outcome, ms: Math.round(performance.now() - from) })
  await wait(between(pauseMs))
}
while (underWay.size > 0) await Promise.allSettled([...underWay])
await wait(0) // the code after a refresh also sends messages
client.dispose()
process.disconnect() // nothing else keeps this process alive
