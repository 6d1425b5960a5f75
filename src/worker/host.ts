import type { ClientInternals } from '../actions/context.ts'
import { createAuthorization } from '../authorization/index.ts'
import { composeClient } from '../client.ts'
import { actionContext } from '../core/extension.ts'
import { createReplay } from '../fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../options.ts'
import { authorizationEnvironment } from '../platform/browser/authorization-environment.ts'
import { browserEnvironment } from '../platform/browser/environment.ts'
import { indexedDb } from '../platform/browser/places.ts'
import { redirect } from '../platform/browser/redirect.ts'
import { sha256 } from '../platform/digest.ts'
import { memory } from '../platform/memory.ts'
import { createHostWork, type HostWork } from './host-work.ts'
import { type HostAnswer, type HostRequest, type OwnOption, PROTOCOL, unsendableNames } from './protocol.ts'

/** The options that contain functions, which cannot be sent in a message. They must be the same as in the pages. */
export type HostOptions = Pick<ClientOptions, OwnOption>

/** Creates a client with the page's options. It works for as long as this worker lives. */
function createWork({ options, database }: HostRequest, own: HostOptions, realm: string): HostWork {
  let wake = () => {}
  const environment = browserEnvironment({ indexedDb: () => indexedDb({ database }), memory, redirect })
  const client = composeClient(
    { ...options, ...own, logger: false } as ClientOptions,
    {
      ...{ ...environment, realm },
      wake: {
        listen(hear) {
          wake = hear
          return () => {}
        },
      },
    },
    { parseOptions, createAuthorization, authorizationEnvironment, createReplay },
  )
  const { calls, records, changed, authorization } = client[actionContext] as ClientInternals
  return createHostWork({
    ...{ records: records(), clock: calls.clock, changed, authorization, hash: sha256 },
    start() {
      wake()
      return client.start()
    },
  })
}

/** Handles one message. `port` receives the answers. */
type Ask = (data: unknown, port: MessagePort | undefined) => Promise<void>

function createAnswers(own: HostOptions, realm: string): Ask {
  const lock = `latchkey host ${crypto.randomUUID()}`
  // the worker holds this lock for its whole life, so that pages notice when it dies
  const held = new Promise<void>(resolve => {
    const hold = () => {
      resolve()
      return new Promise(() => {})
    }
    if (navigator.locks) navigator.locks.request(lock, hold).catch(resolve)
    else resolve()
  })
  const names = unsendableNames(own).join(', ') || 'none'
  const works = new Map<string, HostWork>()

  const workOf = (request: HostRequest): HostWork => {
    const theirs = request.own.join(', ') || 'none'
    if (theirs !== names)
      throw new Error(
        `the page has the options ${theirs} of its own, but the worker ${names}: see docs/worker.md`,
      )
    const key = JSON.stringify([request.database, request.options])
    const work = works.get(key) ?? createWork(request, own, realm)
    works.set(key, work)
    return work
  }

  return async (data, port) => {
    const request = data as Partial<HostRequest> | null
    if (!port || typeof request?.latchkey !== 'number') return // a message of other code
    const answer = (message: HostAnswer) => port.postMessage(message)
    let run: () => Promise<void>
    const taken = () => answer({ type: 'taken', lock })
    try {
      if (request.latchkey !== PROTOCOL) throw new Error('the worker is of another version of latchkey')
      const { task } = request as HostRequest
      const { refresh, signOut } = workOf(request as HostRequest)
      run = () => {
        if (task.type === 'sign-out') return signOut(task.sessionId, taken)
        taken()
        return refresh(task)
      }
    } catch (error) {
      return answer({ type: 'refused', why: error instanceof Error ? error.message : String(error) })
    }
    await held
    await run().catch(() => {}) // the store contains the failure
    answer({ type: 'done' })
  }
}

interface WorkerScope {
  onconnect?: (event: { readonly ports: readonly MessagePort[] }) => void
  addEventListener(type: string, listener: (event: never) => void): void
  readonly registration?: unknown
  skipWaiting?(): Promise<void>
}

/**
 * Makes this SharedWorker or service worker refresh for the pages whose option `host` is `worker(url)` with its URL.
 * @param own the options that contain functions, such as `extensions`. They must be the same as in the pages. Default: none.
 */
export function serve(own: HostOptions = {}): void {
  const scope = globalThis as unknown as WorkerScope
  const isService = scope.registration !== undefined
  const answer = createAnswers(own, isService ? 'service worker ' : 'shared worker ')
  if (!isService) {
    scope.onconnect = ({ ports: [page] }) => {
      if (page) page.onmessage = ({ data, ports }) => void answer(data, ports[0])
    }
    return
  }
  scope.addEventListener('install', () => void scope.skipWaiting?.())
  scope.addEventListener('message', (event: MessageEvent & { waitUntil(work: Promise<unknown>): void }) =>
    event.waitUntil(answer(event.data, event.ports[0])),
  )
}
