import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { dpop } from 'latchkey/dpop'
import { clientCredentials, tokenExchange } from 'latchkey/grants'
import { createClient, memory } from 'latchkey/node'
import { type Granted, nodeGuard, type Protect, protect, requireScope } from 'latchkey/resource-server'
import { type Trace, tokenOf } from './trace.ts'

export interface ServicesOptions {
  /** The authorization server of all three services. */
  issuer: string
  /** The client secret of each service, by its `client_id`. */
  secrets: Readonly<Record<'orders' | 'billing', string>>
  trace: Trace
}

export interface Running {
  readonly url: string
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  /** The answer in one sentence. */
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One service: it checks each request, and answers only those that may pass. */
interface Service {
  readonly name: string
  readonly api: Protect
  readonly trace: Trace
  /** What its callers ask for. */
  readonly purpose: string
  /** Whom to name as the caller: the user, or the service that calls for the user. */
  callerOf(caller: Granted): string | undefined
  answer(caller: Granted, request: IncomingMessage): Promise<Answer>
}

async function start({ name, api, trace, purpose, callerOf, answer }: Service): Promise<Running> {
  const guard = nodeGuard(api)
  const server: Server = createServer(async (request, response) => {
    const caller = await guard(request, response)
    const from = (caller && callerOf(caller)) ?? 'nobody'
    trace.ask(from, name, caller ? `${purpose}, with ${tokenOf(caller)}` : purpose)
    if (!caller) return trace.answer(name, from, `refused: ${response.statusCode}`) // the guard has answered
    const { status, text, headers } = await answer(caller, request)
    trace.answer(name, from, text)
    response.writeHead(status, headers).end(text)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Keeps the ledger. It accepts only tokens that are bound to a service's key, so a stolen token is useless. */
export const startLedger = ({ issuer, trace }: ServicesOptions): Promise<Running> =>
  start({
    name: 'ledger',
    purpose: 'book an entry',
    trace,
    api: requireScope(protect({ issuer, audience: 'ledger', dpop: 'required' }), 'entries:write'),
    callerOf: ({ clientId }) => clientId,
    answer: async ({ clientId }) => ({ status: 200, text: `booked by ${clientId}` }),
  })

/** Creates bills for users, and enters them in the ledger with its own credentials. */
export async function startBilling(
  { issuer, secrets, trace }: ServicesOptions,
  ledgerUrl: string,
): Promise<Running> {
  const ledger = createClient({
    issuer,
    clientId: 'billing',
    clientAuthentication: clientSecretBasic(secrets.billing),
    grant: clientCredentials({ audience: 'ledger' }),
    scope: 'entries:write',
    extensions: [dpop()],
    store: memory(),
    allowedOrigins: [ledgerUrl],
  })
  const running = await start({
    name: 'billing',
    purpose: 'write a bill',
    trace,
    api: requireScope(protect({ issuer, audience: 'billing' }), 'bills:write'),
    callerOf: ({ clientId }) => clientId,
    async answer({ subject }) {
      const booked = await ledger.fetch(`${ledgerUrl}/entries`, { method: 'POST', body: subject ?? '' })
      return { status: booked.ok ? 200 : 502, text: `bill for ${subject}, ${await booked.text()}` }
    },
  })
  return {
    url: running.url,
    async close() {
      ledger.dispose()
      await running.close()
    },
  }
}

/** The token of a request that the guard has accepted. The guard's verdict does not contain it. */
const acceptedToken = ({ headers }: IncomingMessage) => headers.authorization?.split(' ').at(-1) ?? ''

/** Accepts users' orders. For billing, it exchanges the user's token for one that allows only billing. */
export const startOrders = (
  { issuer, secrets, trace }: ServicesOptions,
  billingUrl: string,
): Promise<Running> =>
  start({
    name: 'orders',
    purpose: 'place an order',
    trace,
    api: requireScope(protect({ issuer, audience: 'orders' }), 'orders:write'),
    callerOf: ({ subject }) => subject,
    async answer({ subject }, request) {
      const billing = createClient({
        issuer,
        clientId: 'orders',
        clientAuthentication: clientSecretBasic(secrets.orders),
        grant: tokenExchange({ subjectToken: acceptedToken(request), audience: 'billing' }),
        scope: 'bills:write',
        store: memory(),
        allowedOrigins: [billingUrl],
      })
      try {
        const bill = await billing.fetch(`${billingUrl}/bills`, { method: 'POST' })
        return { status: bill.ok ? 200 : 502, text: `ordered by ${subject}, ${await bill.text()}` }
      } catch {
        // the authorization server no longer exchanges this user's token
        const headers = { 'www-authenticate': 'Bearer error="invalid_token"' }
        return { status: 401, text: 'the user has signed out', headers }
      } finally {
        billing.dispose()
      }
    },
  })

/** Starts the three services. Each one knows the address of the next. */
export async function startServices(options: ServicesOptions) {
  const ledger = await startLedger(options)
  const billing = await startBilling(options, ledger.url)
  const orders = await startOrders(options, billing.url)
  return {
    ordersUrl: orders.url,
    billingUrl: billing.url,
    ledgerUrl: ledger.url,
    async close() {
      await Promise.all([orders, billing, ledger].map(service => service.close()))
    },
  }
}
