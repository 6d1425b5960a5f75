import type { ConnectHost, Host, HostKind, HostPorts } from '../core/ports.ts'
import { once } from '../core/waiting.ts'
import {
  type HostAnswer,
  type HostRequest,
  type HostTask,
  PROTOCOL,
  sendable,
  unsendableNames,
} from './protocol.ts'

/** How long the host may take to accept a request. It may have to start first. */
const TAKEN_MS = 2000
/** How long the host may then take before the page waits for the lock itself: longer than one token request. */
const DONE_MS = 10_000
/** How long the page does not use a host that did not answer. */
const SILENT_MS = 60_000

type Send = (request: HostRequest, port: MessagePort) => void
type Failed = (why: string) => void

/** Whether a SharedWorker can outlive its pages in this browser. A browser reads the option only if it supports it. */
function canOutlive(): boolean {
  let isKnown = false
  const options = {
    get extendedLifetime() {
      isKnown = true
      return true
    },
  }
  try {
    new SharedWorker('http://[', options as WorkerOptions) // the URL is invalid, so no worker starts
  } catch {}
  return isKnown
}

type Kind = Exclude<HostKind, 'page'>

/** The kind of worker to use in this browser. A service worker can have a process of its own: see docs/worker.md. */
function bestKind(): Kind | undefined {
  if (globalThis.navigator?.serviceWorker) return 'service worker'
  return typeof SharedWorker === 'function' && canOutlive() ? 'shared worker' : undefined
}

/** A URL, or at run time a `TrustedScriptURL`. */
type WorkerUrl = string | URL

function connectShared(url: WorkerUrl, failed: Failed): Send {
  const options: WorkerOptions & { extendedLifetime: true } = { name: 'latchkey', extendedLifetime: true }
  const worker = new SharedWorker(url, options)
  worker.onerror = () => failed(`${url} could not be loaded as a SharedWorker`)
  worker.port.start()
  return (request, port) => worker.port.postMessage(request, [port])
}

/** Registers a service worker with a scope that contains no page: it only answers messages. */
async function connectService(url: WorkerUrl, base: string | undefined): Promise<Send> {
  const scope = new URL('latchkey-worker/', new URL(`${url}`, base)).href
  const registered = navigator.serviceWorker.register(url, { scope })
  const { active, waiting, installing } = await registered.catch(cause => {
    throw new Error(`${url} could not be installed as a service worker`, { cause })
  })
  const coming = installing ?? waiting
  if (!active && coming) {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (coming.state === 'activated') resolve()
        if (coming.state === 'redundant') reject(new Error(`${url} could not be started as a service worker`))
      }
      coming.addEventListener('statechange', look)
      look()
    })
  }
  const worker = active ?? coming
  return (request, port) => worker?.postMessage(request, [port])
}

/** Calls `died` when the host releases the lock that it holds for its whole life. */
function watchLife(lock: string, signal: AbortSignal, died: () => void): void {
  navigator.locks?.request(lock, { signal }, () => died()).catch(() => {})
}

interface Connection {
  readonly send: Send
  /** Rejects if the worker could not be loaded. */
  readonly lost: Promise<never>
  readonly kind: Kind
  /** The Web Lock of a SharedWorker, once it is known: if the browser ends the worker, nothing starts it again. */
  lock?: string
}

const connect = (kind: Kind | undefined, url: WorkerUrl, base: string | undefined) =>
  once(async (): Promise<Connection> => {
    let failed: Failed = () => {}
    const lost = new Promise<never>((_, reject) => {
      failed = why => reject(new Error(why))
    })
    lost.catch(() => {})
    if (!kind) throw new Error('this browser has no worker that outlives a page')
    const isShared = kind === 'shared worker'
    return { send: isShared ? connectShared(url, failed) : await connectService(url, base), lost, kind }
  })

/** `silent`: the host did not answer in time. `ended`: the browser has ended it. */
type Outcome = 'taken' | 'done' | 'silent' | 'ended'

/** Waits until a refresh is done, or a sign-out is taken. Rejects if the host cannot work for this client. */
const ask = ({ clock }: HostPorts, connection: () => Promise<Connection>, request: HostRequest) =>
  new Promise<Outcome>((resolve, reject) => {
    const { port1, port2 } = new MessageChannel()
    const over = new AbortController()
    const stop = () => {
      cancel()
      over.abort()
      port1.close()
    }
    const settle = (outcome: Outcome) => {
      stop()
      resolve(outcome)
    }
    const fail = (error: unknown) => {
      stop()
      reject(error)
    }
    const silent = () => settle('silent')
    let cancel = clock.after(TAKEN_MS, silent)
    connection().then(link => {
      const watch = (lock: string) => watchLife(lock, over.signal, () => settle('ended'))
      port1.onmessage = ({ data }: MessageEvent<HostAnswer>) => {
        if (data.type === 'done') return settle('done')
        if (data.type === 'refused') return fail(new Error(data.why))
        if (request.task.type === 'sign-out') return settle('taken')
        cancel()
        cancel = clock.after(DONE_MS, silent)
        if (link.lock !== data.lock) watch(data.lock)
        if (link.kind === 'shared worker') link.lock = data.lock
      }
      link.lost.catch(fail)
      if (link.lock) watch(link.lock)
      link.send(request, port2)
    }, fail)
  })

function createHost(url: WorkerUrl, ports: HostPorts): Host {
  const { options, database, base, clock, warn } = ports
  const kind = bestKind()
  let connection = connect(kind, url, base)
  let isDisabled = false
  let silentUntil = 0

  const disable = (error: unknown) => {
    isDisabled = true
    const why = error instanceof Error ? error.message : String(error)
    warn(`The worker of "host" is not used, because ${why}. This page refreshes without the worker.`)
  }
  const requestFor = (task: HostTask): HostRequest | undefined => {
    if (database === undefined) {
      disable('its store is not indexedDb()')
      return undefined
    }
    const sent = sendable(options, base)
    return { latchkey: PROTOCOL, task, database, options: sent, own: unsendableNames(options) }
  }

  const isUsed = () => !isDisabled && clock.now() >= silentUntil
  /** @returns `undefined` if the worker cannot be used now. */
  const use = async (task: HostTask): Promise<'taken' | 'done' | undefined> => {
    if (!isUsed()) return undefined
    try {
      const sent = requestFor(task)
      if (!sent) return undefined
      const outcome = await ask(ports, connection, sent)
      if (outcome === 'done' || outcome === 'taken') return outcome
      connection = connect(kind, url, base) // the next request may need a new worker
      if (outcome === 'silent') {
        silentUntil = clock.now() + SILENT_MS
        warn(
          'The worker of "host" did not answer in time. This page refreshes without the worker for a minute.',
        )
      }
    } catch (error) {
      disable(error)
    }
    return undefined
  }
  return {
    inUse: () => (kind && database !== undefined && isUsed() ? kind : 'page'),
    refresh: async request => (await use({ type: 'refresh', ...request })) === 'done',
    signOut: async sessionId => (await use({ type: 'sign-out', sessionId })) === 'taken',
    close() {
      isDisabled = true
    },
  }
}

/**
 * Refreshes in a worker that continues when the page is closed, reloaded or killed. The new tokens of a server that rotates
 * refresh tokens are then still stored: `createClient({ …, host: worker('/latchkey-worker.js') })`. The worker also finishes a
 * sign-out: it revokes the tokens.
 *
 * It is a service worker; in a page without service workers, a SharedWorker if the browser supports `extendedLifetime`. If
 * there is neither, or the worker cannot be loaded, the page refreshes itself, and latchkey emits one warning.
 * @param url the URL of the worker's file, at the page's origin: see docs/worker.md. With the policy
 * `require-trusted-types-for 'script'`, pass a `TrustedScriptURL`.
 */
export const worker =
  (url: string | URL | { toString(): string }): ConnectHost =>
  ports =>
    createHost(url as WorkerUrl, ports)
