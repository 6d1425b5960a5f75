import type { Extension } from '../core/extension.ts'
import { notLoaded } from '../core/waiting.ts'
import { ServerError } from '../errors.ts'

export type { Extension } from '../core/extension.ts'

/** How often a request is pushed whose answer has expired when it comes. */
const MOST = 3

/**
 * Pushes the authorization request to the server (RFC 9126), with the client's authentication: what goes through the
 * user's browser is a reference to it, which is used once. A failure is met before anything navigates.
 */
export const par = (): Extension => context => ({
  async pushRequest(request) {
    const { push } = await import('./pushed-request.ts').catch(notLoaded)
    const { clock, clientId } = context
    for (let attempt = 1; attempt <= MOST; attempt++) {
      const sentAt = clock.now()
      const { request_uri, expires_in } = await push(context, request)
      // a slow answer, or a device that slept meanwhile: what is over already would only end at the server's error page
      if (clock.now() - sentAt < expires_in * 1000)
        return new URLSearchParams({ client_id: clientId, request_uri })
    }
    throw new ServerError(
      'The references that the server gives for pushed authorization requests are over at once ("expires_in").',
      { error: 'invalid_response' },
    )
  },
})
