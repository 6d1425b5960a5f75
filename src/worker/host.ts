import type { ClientInternals } from '../actions/context.ts'
import { createAuthorization } from '../authorization/index.ts'
import { composeClient } from '../client.ts'
import { actionContext } from '../core/extension.ts'
import type { HostedRefresh } from '../core/ports.ts'
import { accessTokenOf } from '../core/session.ts'
import { createReplay } from '../fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../options.ts'
import { authorizationEnvironment } from '../platform/browser/authorization-environment.ts'
import { browserEnvironment } from '../platform/browser/environment.ts'
import { indexedDb } from '../platform/browser/places.ts'
import { redirect } from '../platform/browser/redirect.ts'
import { sha256 } from '../platform/digest.ts'
import { memory } from '../platform/memory.ts'
import { type HostAnswer, type HostRequest, type OwnOption, PROTOCOL, unsendableNames } from './protocol.ts'

/** The options that contain functions, which cannot be sent in a message. They must be the same as in the pages. */
export type HostOptions = Pick<ClientOptions, OwnOption>

type Refresh = (request: HostedRefresh) => Promise<void>

/** Creates a client with the page's options. It refreshes for as long as this worker lives. */
function createRefresh({ options, database }: HostRequest, own: HostOptions, realm: string): Refresh {
  let wake = () => {}
  const environment = browserEnvironment({ indexedDb: () => indexedDb({ database }), memory, redirect })
  const client = composeClient(
    { ...options, ...own, logger: false } as ClientOptions,
    {
      ...{ ...environment, realm },
      // each request counts as a wake, because the page has already waited as long as the back-off requires
      wake: {
        listen(hear) {
          wake = hear
          return () => {}
        },
      },
    },
    { parseOptions, createAuthorization, authorizationEnvironment, createReplay },
  )
  const { current, authorization } = client[actionContext] as ClientInternals

  return async ({ sessionId, unusable, resource, isForced }) => {
    wake()
    await client.start()
    const found = current()
    if (found?.sessionId !== sessionId) return
    const accessToken = accessTokenOf(found, resource)?.accessToken
    if ((await sha256(accessToken ?? '')) !== unusable) return // already refreshed
    await (await authorization()).refresh(found, resource, isForced)
  }
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
  const refreshes = new Map<string, Refresh>()

  const refreshOf = (request: HostRequest): Refresh => {
    const theirs = request.own.join(', ') || 'none'
    if (theirs !== names)
      throw new Error(
        `the page has the options ${theirs} of its own, but the worker ${names}: see docs/worker.md`,
      )
    const key = JSON.stringify([request.database, request.options])
    const refresh = refreshes.get(key) ?? createRefresh(request, own, realm)
    refreshes.set(key, refresh)
    return refresh
  }

  return async (data, port) => {
    const request = data as Partial<HostRequest> | null
    if (!port || typeof request?.latchkey !== 'number') return // a message of other code
    const answer = (message: HostAnswer) => port.postMessage(message)
    let refresh: Refresh
    try {
      if (request.latchkey !== PROTOCOL) throw new Error('the worker is of another version of latchkey')
      refresh = refreshOf(request as HostRequest)
    } catch (error) {
      return answer({ type: 'refused', why: error instanceof Error ? error.message : String(error) })
    }
    await held
    answer({ type: 'taken', lock })
    await refresh(request as HostRequest).catch(() => {}) // the store contains the failure
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
