import type { Authorization, AuthorizationPorts, SignInRequest } from '../core/authorization.ts'
import { showBy } from '../core/callback.ts'
import type { SignOutOptions } from '../core/client.ts'
import { parseUrl, type Resource } from '../core/destination.ts'
import { transactionPrefix } from '../core/keys.ts'
import type { KeyValue, Lock, Page } from '../core/ports.ts'
import { runsGrant, type SessionRecord } from '../core/session.ts'
import { ConfigurationError, LatchkeyError, StorageError } from '../errors.ts'
import { createServerTime, createTransport } from './endpoint.ts'
import { joinExtensions } from './extensions.ts'
import { createAcceptDeviation, unusableError } from './failure.ts'
import { createGrantRuns } from './grant-run.ts'
import { createIdTokens } from './id-token.ts'
import { createServer, endpointOf, watchProtections } from './metadata.ts'
import { beginRecovery } from './recovery.ts'
import { createRedemption } from './redemption.ts'
import { createRefresher } from './refresher.ts'
import { renew, requestFor } from './renewal.ts'
import { parseSignIn, parseSignOut } from './request-options.ts'
import { createSessionWrites } from './session-writes.ts'
import { createArrival, type SignInPorts, signIn } from './sign-in.ts'
import { endAtServer, endSignIns, keepWarnings, revokeToken } from './sign-out.ts'
import { refreshTokens, type TokenRequestPorts } from './token-request.ts'
import { createTransactions } from './transaction.ts'

const FRAMED =
  'This page is in a frame of another origin, where most servers show nothing: latchkey signed out here only, and the user stays signed in at the server.'

/** Turns the lock's own failures into LatchkeyErrors. Errors of the work under the lock pass through. */
const typedLock = (lock: Lock): Lock => ({
  isHeld: lock.isHeld && (async name => (await lock.isHeld?.(name).catch(() => false)) ?? false),
  run: async (name, work, waitMs) => {
    let begun = false
    try {
      return await lock.run(
        name,
        () => {
          begun = true
          return work()
        },
        waitMs,
      )
    } catch (cause) {
      if (begun || cause instanceof LatchkeyError) throw cause
      throw new StorageError('The lock of the token store failed. Try again.', { cause })
    }
  },
})

/** The API and the token request parameters for an access token of this name. */
function resourceOf(name: string, resources: readonly Resource[]): Resource | undefined {
  const [url, ...names] = name.split(' ')
  const known = resources.find(one => one.url === url)
  return names.length ? { url: name, parameters: { ...known?.parameters, scope: names.join(' ') } } : known
}

const unknownResource = (name: unknown, resources: readonly Resource[]): LatchkeyError =>
  new ConfigurationError(
    `"resource" must be one of "resources" (${resources.map(({ url }) => url).join(', ') || 'none'}); got ${JSON.stringify(name)}.`,
  )

/** The page, but the app's router shows its URLs if the option `navigate` is set. */
const withRouter = (page: Page | undefined, navigate: AuthorizationPorts['navigate']): Page | undefined =>
  page && typeof navigate === 'function'
    ? { ...page, navigate: url => showBy(navigate, url, page.replaceLocation) }
    : page

/** Joins all parts that communicate with the authorization server. */
export function createAuthorization(given: AuthorizationPorts): Authorization {
  const page = withRouter(given.page, given.navigate)
  const ports: AuthorizationPorts = { ...given, page, lock: typedLock(given.lock) }
  const base = given.baseUrl()
  // servers must allow it (CORS)
  const origin = given.isReadable ? parseUrl(base)?.origin : undefined
  const { settings, clock, emit, warn, keyValue, prefix } = ports
  const { quirks, strict, resources, warnings } = settings
  // later, so that an app that subscribes right after createClient() receives them
  queueMicrotask(() => {
    for (const { about, message } of warnings) warn(about, message)
  })
  const serverTime = createServerTime(clock)
  const transport = serverTime.watch(createTransport({ ...ports, origin }))
  const acceptDeviation = createAcceptDeviation(quirks, warn)
  const watch = watchProtections(keyValue, prefix, strict, warn)
  const server = createServer({
    ...{ settings, transport, clock, emit, acceptDeviation, watch },
    // whoever can write to the store must not decide where the client's credentials go
    keyValue: strict || settings.clientAuthentication ? undefined : keyValue,
  })
  const idTokens = createIdTokens({
    ...{ settings, server, transport, clock, serverTime, acceptDeviation, keyValue },
  })
  const extensions = joinExtensions(ports.extensions)
  const requests: TokenRequestPorts = {
    ...{ settings, server, extensions, transport, clock },
    ...{ serverTime, emit, warn, acceptDeviation, idTokens },
  }
  const revoke = (refreshToken: string) =>
    void revokeToken(requests, refreshToken, 'refresh_token').catch(() => {})
  const writes = createSessionWrites(ports.records, revoke)
  const grants = createGrantRuns({ ...ports, ...requests, writes })
  const transactionsIn = (place: KeyValue) => createTransactions(place, transactionPrefix(prefix), clock)
  const transactions = transactionsIn(keyValue)
  const parse = (request: SignInRequest) => {
    const leaves = request.leaves && ports.page !== undefined
    const home = (page ? undefined : base) ?? settings.redirectUri
    return parseSignIn({ ...request, leaves }, settings, home, ports.records.current?.tokens.scope)
  }
  const parseOut = (request: SignOutOptions) => parseSignOut(request, settings, ports.page?.location())
  const signIns: SignInPorts = { ...ports, ...requests, origin, writes, transactions, transactionsIn, revoke }
  const redeem = createRedemption({
    ...ports,
    writes,
    tokenType: extensions.tokenType,
    revoke,
    async redeem(record, url, attempt, signal) {
      const resource = url === undefined ? undefined : resourceOf(url, resources)
      const parameters = resource && requestFor(resource, record)
      const granted = runsGrant(record)
        ? await grants.run(record, attempt, signal, parameters)
        : await refreshTokens(requests, record, attempt, signal, parameters)
      return renew(record, resource, granted, { ...settings, receivedAt: clock.now(), warn })
    },
  })

  const prepare = (record: SessionRecord) =>
    Promise.all([server(undefined, true), runsGrant(record) && grants.prepare(record)])
  const refresher = createRefresher({ ...ports, writes, prepare, redeem, revoke })

  return {
    ...refresher,
    checkSignIn: request => void parse(request),
    signIn: (attempt, request) => signIn(signIns, attempt, request, parse(request)),
    ...createArrival(signIns),
    beginRecovery: isSignedIn => beginRecovery(ports, transactions, isSignedIn),
    checkSignOut: request => void parseOut(request),
    async signOut(request, ended, onLeft, isHosted) {
      const demands = parseOut(request)
      await endSignIns(transactions, extensions)
      const { leave } = ports
      const isFramed = demands.endsProviderSession && ports.isEmbedded?.()
      if (isFramed) warn('end_session', FRAMED)
      const leaveFor = async (url: string) => {
        if (page) await keepWarnings(ports)
        await leave?.(url, onLeft, demands.postLogoutRedirectUri)
      }
      const goThere = demands.endsProviderSession && leave && !isFramed ? leaveFor : undefined
      if (ended) await endAtServer(requests, ended, demands, goThere, isHosted)
    },
    unusableError,
    unknownResource: name => unknownResource(name, resources),
    beginGrant: grants.begin,
    revoke,
    server,
    endpoint: async name => endpointOf(await server(), name, settings.clientAuthentication?.mtls),
    transport,
    serverAheadMs: serverTime.aheadMs,
  }
}
