import { HttpResponse, http, type RequestHandler } from 'msw'
import { deviceClock } from '../../src/platform/device.ts'
import { createProtect } from '../../src/resource-server/protect.ts'
import type { StrictAs } from './strict-as.ts'

/** One request to the API or to another host. */
export interface ApiRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  status: number
}

export const API = 'https://api.example.com'

/**
 * The access tokens' check of an API: the resource server of latchkey, which introspects each token and remembers none. Its
 * requests to the authorization server are not among those that tests count.
 */
function createCheck(as: StrictAs) {
  const { issuer } = as
  const introspection_endpoint = `${issuer}/introspect`
  const ask = async (request: Request): Promise<Response> => {
    if (request.method === 'GET') return Response.json({ issuer, introspection_endpoint })
    const found = as.introspect(new URLSearchParams(await request.text()).get('token') ?? '')
    return Response.json(found ? { active: true, sub: found.subject } : { active: false })
  }
  const introspection = {
    clientId: 'api',
    cacheSeconds: 0,
    inactiveCacheSeconds: 0,
    acceptWithoutAudience: true,
  }
  return createProtect(
    {
      ...{ issuer: { issuer, introspection }, audience: API, realm: 'api', dpop: 'off' },
      allowPlainHttpForTests: [new URL(issuer).origin],
    },
    { fetch: (input, init) => ask(new Request(input, init)), clock: deviceClock },
  )
}

/**
 * An API that validates each token at the authorization server. `/me` needs a token, `/always-401` accepts none,
 * `/forbidden` needs more scope, `/public` needs no token. Requests to other hosts are recorded and get a 200.
 */
export function createStrictApi(as: StrictAs) {
  const requests: ApiRequest[] = []
  const elsewhere: ApiRequest[] = []
  const check = createCheck(as)

  const note = async (list: ApiRequest[], request: Request): Promise<ApiRequest> => {
    const { method, url, headers } = request
    const entry: ApiRequest = {
      method,
      url,
      headers: Object.fromEntries(headers),
      body: await request.text(),
      status: 0,
    }
    list.push(entry)
    return entry
  }

  const answer = async (path: string, request: Request, { method, body }: ApiRequest): Promise<Response> => {
    if (path === '/public') return HttpResponse.json({ who: 'anyone' })
    const verdict = await check(request, path === '/forbidden' ? { scope: 'admin' } : {})
    if (!verdict.valid) return verdict.response()
    if (path.startsWith('/always-401'))
      return HttpResponse.json(
        { error: 'invalid_token' },
        { status: 401, headers: { 'www-authenticate': 'Bearer realm="api", error="invalid_token"' } },
      )
    return HttpResponse.json({ who: verdict.subject, method, body })
  }

  const handlers: RequestHandler[] = [
    http.all(`${API}/*`, async ({ request }) => {
      const entry = await note(requests, request)
      const response = await answer(new URL(request.url).pathname, request, entry)
      entry.status = response.status
      return response
    }),
    http.all('*', async ({ request }) => {
      await note(elsewhere, request)
      return HttpResponse.json({ who: 'somebody else' })
    }),
  ]
  return { handlers, requests, elsewhere, statuses: () => requests.map(({ status }) => status) }
}
