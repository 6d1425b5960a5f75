/** A step of the scripted user, for display. */
export type UserAgentStep =
  | { readonly type: 'form-shown'; readonly title: string }
  | { readonly type: 'form-sent'; readonly what: string }

export interface ScriptedUserAgentOptions {
  /** The user name to type. */
  userName: string
  /** The redirect URI. The first request to a URL that starts with it is the last one. */
  redirectUri?: string
  step?: (step: UserAgentStep) => void
}

/** More pages than a sign-in has: reaching this number means a loop. */
const MOST_REQUESTS = 20

const REQUEST_TIMEOUT_MS = 10_000

const attributesOf = (tag: string): Map<string, string> =>
  new Map([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]))

/** Fills in the first form of a page: keeps every value, types the user name into empty inputs, presses the first button. */
function fillIn(html: string, base: string, userName: string) {
  const form = /<form\b[^>]*>[\s\S]*?<\/form>/.exec(html)?.[0]
  if (!form) return undefined
  const body = new URLSearchParams()
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const attributes = attributesOf(tag)
    body.set(attributes.get('name') ?? '', attributes.get('value') ?? userName)
  }
  // a button may be outside its form
  const button = attributesOf(/<button\b[^>]*>/.exec(html)?.[0] ?? '')
  if (button.has('name')) body.set(button.get('name') ?? '', button.get('value') ?? '')
  return { url: new URL(attributesOf(form).get('action') ?? base, base).href, body }
}

/**
 * A browser without a screen: it keeps cookies, follows redirects, signs in and consents with the server's own forms.
 * @returns a function that opens an authorization request or a sign-out. Its calls share their cookies, as in one browser.
 */
export function createScriptedUserAgent({
  userName,
  redirectUri,
  step = () => {},
}: ScriptedUserAgentOptions) {
  const cookies = new Map<string, string>()

  const send = async (url: string, body?: URLSearchParams) => {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value) cookies.set(name, value)
      else cookies.delete(name)
    }
    return response
  }

  return async (authorizationUrl: string): Promise<void> => {
    const { searchParams } = new URL(authorizationUrl)
    const wanted =
      redirectUri ?? searchParams.get('redirect_uri') ?? searchParams.get('post_logout_redirect_uri')
    let url = authorizationUrl
    let body: URLSearchParams | undefined
    for (let request = 0; request < MOST_REQUESTS; request++) {
      const response = await send(url, body)
      body = undefined
      if (wanted && url.startsWith(wanted)) {
        await response.text()
        return
      }
      const location = response.headers.get('location')
      if (location) {
        await response.body?.cancel()
        url = new URL(location, url).href
        continue
      }
      const html = await response.text()
      if (!response.ok) throw new Error(`The authorization server answered ${response.status} at ${url}.`)
      const title = /<h1>([^<]*)<\/h1>/.exec(html)?.[1] ?? 'a page'
      step({ type: 'form-shown', title })
      const filledIn = fillIn(html, url, userName)
      if (!filledIn && !wanted) return
      if (!filledIn) throw new Error(`The authorization server showed a page without a form: ${url}`)
      url = filledIn.url
      body = filledIn.body
      step({ type: 'form-sent', what: title })
    }
    throw new Error(`The sign-in did not end within ${MOST_REQUESTS} requests.`)
  }
}
