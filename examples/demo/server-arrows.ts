import type { Arrow, Party } from 'latchkey/inspector'
import type { UserAgentStep } from './scripted-user-agent.ts'
import type { AuthorizationServerLogEntry } from './servers/authorization-server-log.ts'
import type { ResourceServerLogEntry } from './servers/resource-server.ts'

const arrow = (
  [from, to]: readonly [from: Party, to: Party],
  label: string,
  detail = '',
  tone: Arrow['tone'] = 'plain',
): Arrow => ({ from, to, label, detail, tone })

/** The arrow for something that only the resource server sees. */
export function arrowOfResourceServer(entry: ResourceServerLogEntry): Arrow | undefined {
  const there = ['resource server', 'authorization server'] as const
  const back = ['authorization server', 'resource server'] as const
  switch (entry.type) {
    case 'introspection-request':
      return arrow(there, 'introspection request')
    case 'introspection-response':
      return arrow(back, 'introspection response', entry.active ? 'active' : 'not active')
    case 'introspection-error':
      return arrow(back, 'introspection error', entry.message, 'bad')
    default:
      return undefined
  }
}

/** The arrow for something that the authorization server does on its own. */
export function arrowOfAuthorizationServer(entry: AuthorizationServerLogEntry): Arrow | undefined {
  const own = ['authorization server', 'authorization server'] as const
  switch (entry.type) {
    case 'access-token-revoked':
      return arrow(own, 'access token revoked', `access token ${entry.accessToken}`, 'bad')
    case 'failure':
      return arrow(own, 'failure', entry.message, 'bad')
    default:
      return undefined
  }
}

export const arrowOfUserAgent = (step: UserAgentStep): Arrow =>
  step.type === 'form-shown'
    ? arrow(['authorization server', 'user agent'], 'page', step.title)
    : arrow(['user agent', 'authorization server'], 'form', step.what)
