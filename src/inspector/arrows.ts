import { parseUrl } from '../core/destination.ts'
import type { ClientEvent } from '../index.ts'

export type Party = 'client' | 'authorization server' | 'resource server' | 'user agent'

/** One arrow of the exchange, ready to draw or print. An arrow from a party to itself is a note. */
export interface Arrow {
  readonly from: Party
  readonly to: Party
  readonly label: string
  readonly detail: string
  readonly tone: 'plain' | 'good' | 'bad'
}

type Way = readonly [from: Party, to: Party]

const toAuthorizationServer: Way = ['client', 'authorization server']
const fromAuthorizationServer: Way = ['authorization server', 'client']
const toResourceServer: Way = ['client', 'resource server']
const fromResourceServer: Way = ['resource server', 'client']
const atClient: Way = ['client', 'client']

const arrow = (
  [from, to]: Way,
  label: string,
  detail: string | false | undefined = '',
  tone: Arrow['tone'] = 'plain',
): Arrow => ({ from, to, label, detail: detail || '', tone })

const together = (...parts: (string | false | undefined)[]) => parts.filter(Boolean).join(', ')

const pathOf = (url: string) => parseUrl(url)?.pathname ?? url

/** Describes an event of a client as an arrow, to draw or print. */
export function arrowOf(event: ClientEvent): Arrow {
  switch (event.type) {
    case 'metadata-request':
      return arrow(toAuthorizationServer, 'discovery request')
    case 'metadata-response':
      return arrow(fromAuthorizationServer, 'server metadata', event.issuer)
    case 'authorization-request':
      return arrow(toAuthorizationServer, 'authorization request', `code + PKCE S256, by ${event.userAgent}`)
    case 'authorization-response':
      return event.refused
        ? arrow(fromAuthorizationServer, 'authorization response', 'refused', 'bad')
        : arrow(fromAuthorizationServer, 'authorization response', 'grant: a code')
    case 'authorization-error':
      return arrow(atClient, 'sign-in refused', event.errorDescription ?? event.error, 'bad')
    case 'pushed-authorization-request':
      return arrow(toAuthorizationServer, 'pushed authorization request')
    case 'pushed-authorization-response':
      return arrow(fromAuthorizationServer, 'request URI', `valid for ${event.expiresInSeconds} s`, 'good')
    case 'token-request':
      return arrow(
        toAuthorizationServer,
        `token request (${event.grantType})`,
        event.attempt > 1 && `attempt ${event.attempt}`,
      )
    case 'token-response':
      return arrow(
        fromAuthorizationServer,
        'token response',
        together(
          event.expiresInSeconds !== undefined && `${event.expiresInSeconds} s access token`,
          event.rotated && 'new refresh token',
        ),
        'good',
      )
    case 'token-error':
      return arrow(fromAuthorizationServer, 'token error', together(event.error ?? event.code), 'bad')
    case 'tokens-adopted':
      return arrow(atClient, 'tokens adopted', `refreshed by ${event.from ?? 'another tab'}`)
    case 'step-up-required':
      return arrow(atClient, 'another sign-in needed', event.error, 'bad')
    case 'body-not-replayable':
      return arrow(atClient, 'not sent again', 'the body was a stream', 'bad')
    case 'refresh-futile':
      return arrow(atClient, 'no more refreshes for this API', pathOf(event.url), 'bad')
    case 'api-request':
      return arrow(toResourceServer, `${event.method} ${pathOf(event.url)}`, event.replay && 'replay')
    case 'api-response':
      return arrow(fromResourceServer, String(event.status), event.error, event.status < 400 ? 'good' : 'bad')
    case 'revocation-request':
      return arrow(toAuthorizationServer, 'revocation request')
    case 'revocation-response':
      return arrow(
        fromAuthorizationServer,
        'revocation response',
        event.ok ? 'revoked' : 'refused',
        event.ok ? 'good' : 'bad',
      )
    case 'end-session-request':
      return arrow(toAuthorizationServer, 'end-session request')
    case 'session-started':
      return arrow(atClient, 'session started', event.subject)
    case 'session-ended':
      return arrow(atClient, 'session ended', event.reason, event.reason === 'signed_out' ? 'plain' : 'bad')
    case 'warning':
      return arrow(atClient, 'warning', event.message, 'bad')
    case 'storage-degraded':
      return arrow(atClient, 'storage degraded', event.message, 'bad')
  }
}
