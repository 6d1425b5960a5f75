import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { dpop } from 'latchkey/dpop'
import { clientCredentials, tokenExchange } from 'latchkey/grants'
import { createClient, memory } from 'latchkey/node'
import { nodeGuard, protect, requireScope } from 'latchkey/resource-server'

/** Who asked whom for what, in the order of time. */
export interface Step {
  readonly from: string
  readonly to: string
  readonly what: string
  readonly status: number
}

export interface ServicesOptions {
  /** The authorization server of all three. */
  issuer: string
  /** The secret of each service there, by its `client_id`. */
  secrets: Readonly<Record<'orders' | 'billing', string>>
  trace: (step: Step) => void
}

export interface Running {
  readonly url: string
  close(): Promise<void>
}

async function listen(handle: RequestListener): Promise<Running> {
  const server: Server = createServer(handle)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** The token of a request that its guard has let pass: a verdict never holds it. */
const tokenOf = ({ headers }: IncomingMessage) => headers.authorization?.split(' ').at(-1) ?? ''

/** Keeps the books. It takes tokens of services only, bound to their keys: a stolen one is worth nothing. */
export function startLedger({ issuer, trace }: ServicesOptions): Promise<Running> {
  const api = protect({ issuer, audience: 'ledger', dpop: 'required' })
  const guard = nodeGuard(requireScope(api, 'entries:write'))
  return listen(async (request, response) => {
    const caller = await guard(request, response)
    trace({
      from: caller?.clientId ?? 'nobody',
      to: 'ledger',
      what: 'book an entry',
      status: response.statusCode,
    })
    if (caller) response.end(JSON.stringify({ bookedBy: caller.clientId }))
  })
}

/** Writes bills for users, and books them in the ledger by credentials of its own. */
export async function startBilling(options: ServicesOptions, ledgerUrl: string): Promise<Running> {
  const { issuer, secrets, trace } = options
  const guard = nodeGuard(requireScope(protect({ issuer, audience: 'billing' }), 'bills:write'))
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
  const running = await listen(async (request, response) => {
    const caller = await guard(request, response)
    trace({
      from: caller?.clientId ?? 'nobody',
      to: 'billing',
      what: `write a bill for ${caller?.subject ?? 'nobody'}`,
      status: response.statusCode,
    })
    if (!caller) return
    const booked = await ledger.fetch(`${ledgerUrl}/entries`, { method: 'POST', body: caller.subject ?? '' })
    response.statusCode = booked.ok ? 200 : 502
    response.end(JSON.stringify({ billFor: caller.subject, ledger: await booked.json() }))
  })
  return {
    url: running.url,
    async close() {
      ledger.dispose()
      await running.close()
    },
  }
}

/** Takes orders of users. Its token for billing is the user's, exchanged for one that allows no more than that. */
export function startOrders(
  { issuer, secrets, trace }: ServicesOptions,
  billingUrl: string,
): Promise<Running> {
  const guard = nodeGuard(requireScope(protect({ issuer, audience: 'orders' }), 'orders:write'))
  return listen(async (request, response) => {
    const caller = await guard(request, response)
    const from = caller?.subject ?? 'nobody'
    trace({ from, to: 'orders', what: 'place an order', status: response.statusCode })
    if (!caller) return
    const billing = createClient({
      issuer,
      clientId: 'orders',
      clientAuthentication: clientSecretBasic(secrets.orders),
      grant: tokenExchange({ subjectToken: tokenOf(request), audience: 'billing' }),
      scope: 'bills:write',
      store: memory(),
      allowedOrigins: [billingUrl],
    })
    try {
      const bill = await billing.fetch(`${billingUrl}/bills`, { method: 'POST' })
      response.statusCode = bill.ok ? 200 : 502
      response.end(JSON.stringify({ orderedBy: from, billing: await bill.json() }))
    } catch {
      // the authorization server no longer exchanges this user's token
      response.statusCode = 401
      response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
      response.end()
    } finally {
      billing.dispose()
    }
  })
}

/** Starts the three, each of which knows the address of the next one. */
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
