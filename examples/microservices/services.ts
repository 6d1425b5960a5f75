import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { dpop } from 'latchkey/dpop'
import { clientCredentials, tokenExchange } from 'latchkey/grants'
import { createClient, memory } from 'latchkey/node'
import { nodeGuard, protect, requireScope } from 'latchkey/resource-server'

/** One request between two services, and its result. */
export interface Step {
  readonly from: string
  readonly to: string
  readonly what: string
  readonly status: number
}

export interface ServicesOptions {
  /** The authorization server of all three services. */
  issuer: string
  /** The client secret of each service, by its `client_id`. */
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

/** The token of a request that the guard has accepted. The guard's verdict does not contain it. */
const tokenOf = ({ headers }: IncomingMessage) => headers.authorization?.split(' ').at(-1) ?? ''

/** Keeps the ledger. It accepts only tokens that are bound to a service's key, so a stolen token is useless. */
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

/** Creates bills for users, and enters them in the ledger with its own credentials. */
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

/** Accepts users' orders. For billing, it exchanges the user's token for one that allows only billing. */
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
