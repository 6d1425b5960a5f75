import { type Destination, findDestination } from '../core/destination.ts'
import type { Presentation } from '../core/extension.ts'
import type { Fetch } from '../core/ports.ts'
import { abortable, type Loadable, loadable } from '../core/waiting.ts'
import { cancelBody, holdBack, keepBodyOf, takeOne } from './body.ts'
import {
  type Arguments,
  bearer,
  type Call,
  createCallReader,
  isOpen,
  memberOf,
  orNone,
  readTarget,
  withHeaders,
} from './call.ts'
import type { createReplay, Replay, ReplayPorts, Sender, Sent } from './replay.ts'

export interface AuthFetchPorts extends ReplayPorts {
  readonly send: Fetch
  readonly allowedOrigins: ReadonlySet<string>
  /** Origins of tests that tokens go to by plain http. */
  readonly plainHttp?: ReadonlySet<string>
  /** The base URLs of the APIs that have their own access token. */
  readonly resources: readonly string[]
  /** Adds access tokens to requests. Default: as Bearer. */
  readonly presentation: Presentation | undefined
  /** Settles when the store has been read once. */
  started(): Promise<unknown>
  /** Loads the code for a response that rejects an access token: most pages never need it. */
  loadReplay(): Promise<typeof createReplay>
}

/** Returns `undefined` if the code cannot be loaded. `signal` ends the wait. */
const replayOf = (replays: Loadable<Replay>, signal?: AbortSignal | null): Promise<Replay | undefined> =>
  orNone(abortable(replays.get(), signal))

/** The most addresses whose destination is remembered. */
const ADDRESSES = 200

/**
 * `fetch` that adds the access token to requests to allowed origins. If a new token can cure a 401, it refreshes once and
 * replays the request once. Everything else behaves like `fetch`.
 */
export function createAuthFetch(ports: AuthFetchPorts): Fetch {
  const { send } = ports
  const reader = createCallReader()
  const replays = loadable(async () => (await ports.loadReplay())(ports))
  const addresses = new Map<string, Destination | undefined>()

  const destinationOf = (address: string): Destination | undefined => {
    if (addresses.has(address)) return addresses.get(address)
    const found = findDestination(address, ports.baseUrl(), ports)
    if (addresses.size >= ADDRESSES) addresses.clear()
    // a relative URL depends on the page, and so does `https:path` without slashes
    if (/^https?:\/\//i.test(address)) addresses.set(address, found)
    return found
  }

  const authFetch = async (...args: Arguments): Promise<Response> => {
    if (!args.length) return send(...args)
    const target = readTarget(args[0])
    const destination = destinationOf(target.address)
    const read = destination && reader.read(target, args[1])
    if (!read) {
      const response = await send(target.foreign ?? target.input, ...(args.slice(1) as [Arguments[1]]))
      if (!destination && response?.status === 401)
        replayOf(replays).then(replay => replay?.warnOf401(target, args[1]))
      return response
    }
    if (!isOpen(read)) return send(read.input, args[1] && read.init)
    const call = reader.own(read)
    const isHere = (url: string) =>
      destinationOf(url)?.resource === destination.resource &&
      url.startsWith(new URL('/', destination.endpoint).href)
    try {
      return await exchange(ports, replays, call, destination, isHere, target.address.split('?')[1])
    } catch (error) {
      cancelBody(call, error)
      throw error
    } finally {
      if (call.owned) cancelBody(call)
    }
  }
  // like the platform's `fetch`: rest parameters would give it another name and length
  return Object.defineProperties(authFetch, { name: { value: 'fetch' }, length: { value: 1 } })
}

function createSender(
  { send, presentation, emit }: AuthFetchPorts,
  replays: Loadable<Replay>,
  call: Call,
  url: string,
): Sender {
  const isKept = keepBodyOf(call)
  const method = String(memberOf(call, 'method') ?? 'GET').toUpperCase()

  let sent: HeadersInit | undefined

  const sendWith = (headers: Readonly<Record<string, string>>, redirect?: RequestRedirect) => {
    const next = withHeaders(takeOne(call), headers, redirect)
    sent = next[1]?.headers
    return send(...next)
  }

  const present = async (by: Presentation, accessToken: string, sessionId: string): Promise<Response> => {
    const redirect = memberOf(call, 'redirect') ?? 'follow'
    let isOutdated = false
    const send = async () => {
      const headers = await by.headers({ method, url }, accessToken, sessionId)
      // a proof for one URL must not follow a redirect to another
      const response = await sendWith(headers, redirect === 'follow' ? 'manual' : redirect)
      isOutdated = by.answered(url, response, redirect)
      return response
    }
    const response = await send()
    const replay = isOutdated && isKept ? await replayOf(replays, memberOf(call, 'signal')) : undefined
    return replay ? replay.replace(call, response, send) : response
  }

  return {
    isKept,
    method,
    sentHeaders: () => sent,
    deliver(accessToken: string, sessionId = '', replay = false) {
      emit({ type: 'api-request', method, url, replay })
      return presentation ? present(presentation, accessToken, sessionId) : sendWith(bearer(accessToken))
    },
  }
}

/** Sends a call with the access token. */
async function exchange(
  ports: AuthFetchPorts,
  replays: Loadable<Replay>,
  call: Call,
  { endpoint: url, resource }: Destination,
  isHere: Sent['isHere'],
  query: string | undefined,
): Promise<Response> {
  const { tokens, presentation, emit } = ports
  const sender = createSender(ports, replays, call, url)
  const signal = memberOf(call, 'signal')
  let sessionId = tokens.sessionId()
  let accessToken = tokens.ready(resource)
  if (accessToken === undefined || presentation) holdBack(call, sender.isKept)
  if (accessToken === undefined) {
    await abortable(ports.started(), signal)
    sessionId ??= tokens.sessionId()
    accessToken = await tokens.acquire({ resource, sessionId, signal })
  }
  const response = await sender.deliver(accessToken, sessionId)
  const { status } = response
  if (status !== 401) replays.loaded?.accepted(accessToken)
  const isRefused = status === 401 || status === 403
  // if the code that judges it cannot be loaded, the caller gets the response
  const replay = isRefused ? await replayOf(replays, signal) : undefined
  if (replay) {
    const sent = { url, resource, sessionId, signal, sender, call, isHere, query }
    return replay.follow(sent, response, accessToken)
  }
  emit({ type: 'api-response', status, url, error: undefined })
  return response
}
