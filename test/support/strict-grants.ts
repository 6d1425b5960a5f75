import type { StrictGrant } from './strict-as.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** A token request with another grant than the authorization code. */
export interface SeenGrant {
  readonly form: Readonly<Record<string, string>>
}

/** Further grants of a server that follows RFC 6749 section 4.4, RFC 8693 and RFC 7523. */
export function strictGrants() {
  const seen: SeenGrant[] = []
  const double = {
    seen,
    /** Whether client credentials get a refresh token, which RFC 6749 section 4.4.3 advises against. */
    givesRefreshTokens: false,
    /** Members to add to the response of an exchange, or to replace in it. */
    exchanged: {} as Record<string, unknown>,
    /** The users of the known assertions, by assertion. */
    assertions: new Map<string, string>(),
    grants: {} as Record<string, StrictGrant>,
  }
  const note = (form: URLSearchParams) => void seen.push({ form: Object.fromEntries(form) })
  const resourceOf = (form: URLSearchParams) => form.get('resource') ?? form.get('audience') ?? undefined
  const only = (form: URLSearchParams, ...names: string[]) =>
    names.every(name => form.getAll(name).length === 1 && form.get(name))
  let made = 0

  double.grants = {
    async client_credentials(form, { clientId, issue, keep }) {
      note(form)
      const more = double.givesRefreshTokens ? { refresh_token: keep(`refresh-of-service-${++made}`) } : {}
      return Response.json({ ...(await issue(clientId, form.get('scope') ?? '', resourceOf(form))), ...more })
    },

    async [EXCHANGE](form, { introspect, issue, refuse, keep }) {
      note(form)
      if (!only(form, 'subject_token', 'subject_token_type')) return refuse('invalid_request')
      if (form.has('actor_token') !== form.has('actor_token_type')) return refuse('invalid_request')
      const subject = introspect(keep(form.get('subject_token') as string))
      if (!subject || form.get('subject_token_type') !== ACCESS_TOKEN) return refuse('invalid_request')
      const actor = form.get('actor_token')
      if (actor && !introspect(keep(actor))) return refuse('invalid_request')
      const granted = await issue(subject.subject, form.get('scope') ?? subject.scope, resourceOf(form))
      const { id_token: _, ...members } = granted
      return Response.json({ ...members, issued_token_type: ACCESS_TOKEN, ...double.exchanged })
    },

    async [JWT_BEARER](form, { issue, refuse, keep }) {
      note(form)
      if (!only(form, 'assertion')) return refuse('invalid_request')
      const subject = double.assertions.get(keep(form.get('assertion') as string))
      if (!subject) return refuse('invalid_grant')
      return Response.json(await issue(subject, form.get('scope') ?? '', resourceOf(form)))
    },

    async password(form, { issue, keep }) {
      note(form)
      keep(form.get('password') ?? '')
      return Response.json(await issue(form.get('username') ?? '', ''))
    },
  }
  return double
}
