import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { Accounts } from './accounts.ts'
import { consentPage, interactionPolicy, messagePage, signInPage } from './interaction-pages.ts'

/** Far larger than a user name, far smaller than memory. */
const LONGEST_FORM_BYTES = 8192

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > LONGEST_FORM_BYTES) throw new Error('The form is too long.')
  }
  return new URLSearchParams(text)
}

function sendPage(response: ServerResponse, status: number, html: string) {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': interactionPolicy,
    'cache-control': 'no-store',
  })
  response.end(html)
}

/**
 * The authorization server's own pages: sign in and consent.
 * @returns a handler that answers `/interaction/…` and returns `false` for every other request.
 */
export function createInteractions(provider: Provider, accounts: Accounts) {
  const interact = async (request: IncomingMessage, response: ServerResponse) => {
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
    const client = await provider.Client.find(String(params.client_id))
    const clientName = client?.clientName ?? String(params.client_id)
    const form = request.method === 'POST' ? await readForm(request) : undefined

    if (form?.get('decision') === 'deny') {
      return provider.interactionFinished(request, response, {
        error: 'access_denied',
        error_description: 'The user cancelled.',
      })
    }

    if (prompt.name === 'login') {
      const userName = form?.get('user')?.trim().slice(0, 64)
      if (!userName) return sendPage(response, 200, signInPage(clientName, form && 'Enter a name first.'))
      const { accountId } = accounts.signIn(userName)
      return provider.interactionFinished(request, response, { login: { accountId } })
    }

    const accountId = session?.accountId ?? ''
    const scopes = String(params.scope ?? '').split(' ')
    if (!form) {
      const { name } = await accounts.find(accountId).claims('id_token', '', {}, [])
      return sendPage(response, 200, consentPage(clientName, String(name), scopes))
    }
    const known = grantId ? await provider.Grant.find(grantId) : undefined
    const grant = known ?? new provider.Grant({ accountId, clientId: String(params.client_id) })
    grant.addOIDCScope(scopes.join(' '))
    for (const resource of [params.resource ?? []].flat()) {
      grant.addResourceScope(String(resource), scopes.join(' '))
    }
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (!request.url?.startsWith('/interaction/')) return false
    try {
      await interact(request, response)
    } catch {
      const text =
        'It was finished, took too long or began in another browser. Go back to the app and try again.'
      sendPage(response, 400, messagePage('This sign-in is over', text))
    }
    return true
  }
}
