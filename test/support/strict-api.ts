import { HttpResponse, http, type RequestHandler } from 'msw'
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
 * An API that validates each token at the authorization server. `/me` needs a token, `/always-401` accepts none,
 * `/forbidden` needs more scope, `/public` needs no token. Requests to other hosts are recorded and get a 200.
 */
export function createStrictApi(as: StrictAs) {
  const requests: ApiRequest[] = []
  const elsewhere: ApiRequest[] = []
  const challenge = (status: number, text: string) =>
    HttpResponse.json({ problem: status }, { status, headers: { 'www-authenticate': text } })

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

  const answer = (path: string, entry: ApiRequest): Response => {
    if (path === '/public') return HttpResponse.json({ who: 'anyone' })
    const [, accessToken = ''] = /^Bearer (.+)$/.exec(entry.headers.authorization ?? '') ?? []
    if (!accessToken) return challenge(401, 'Bearer realm="api"')
    const who = as.introspect(accessToken)
    if (!who || path.startsWith('/always-401')) {
      return challenge(401, 'Bearer realm="api", error="invalid_token", error_description="over"')
    }
    if (path === '/forbidden') return challenge(403, 'Bearer error="insufficient_scope", scope="admin"')
    const { method, body } = entry
    return HttpResponse.json({ who: who.subject, method, body })
  }

  const handlers: RequestHandler[] = [
    http.all(`${API}/*`, async ({ request }) => {
      const entry = await note(requests, request)
      const response = answer(new URL(request.url).pathname, entry)
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
