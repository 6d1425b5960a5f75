import type { Extension } from '../core/extension.ts'
import { notLoaded } from '../core/waiting.ts'
import { ServerError } from '../errors.ts'

export type { Extension } from '../core/extension.ts'

/** How often to push a request whose reference has already expired when the response arrives. */
const MAX_PUSHES = 3

/**
 * Pushes the authorization request to the server (RFC 9126), with the client's authentication. Only a reference to it, which
 * works once, goes through the user's browser. If the push fails, `signIn()` rejects before the page navigates.
 */
export const par = (): Extension => context => ({
  async pushRequest(request) {
    const { push } = await import('./pushed-request.ts').catch(notLoaded)
    const { clock, clientId } = context
    for (let attempt = 1; attempt <= MAX_PUSHES; attempt++) {
      const sentAt = clock.now()
      const { request_uri, expires_in } = await push(context, request)
      // after a slow response, or if the device slept meanwhile: an expired reference would only lead to an error page
      if (clock.now() - sentAt < expires_in * 1000)
        return new URLSearchParams({ client_id: clientId, request_uri })
    }
    throw new ServerError(
      'The request_uri values of the server expire before they can be used. Check "expires_in" of its pushed authorization requests.',
      { error: 'invalid_response' },
    )
  },
})
