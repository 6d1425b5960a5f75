import { HttpResponse, http, type RequestHandler } from 'msw'
import type { HandClock } from '../clock.ts'

/** A double of a hosted authorization server. It records, by id, which of its facts have affected a client. */
export interface Hosted {
  /** The known facts about the system that the double imitates, by id. */
  readonly facts: Readonly<Record<string, string>>
  /** The ids of the facts that have affected a client. */
  readonly met: ReadonlySet<string>
  readonly handlers: readonly RequestHandler[]
  /** Values that a client must never show. */
  readonly secrets: ReadonlySet<string>
  /** The user agrees. @returns the callback URL for an authorization request. */
  approve(address: string): string
  /** The forms that the token endpoint has received, in order. */
  readonly forms: readonly URLSearchParams[]
}

/** All tokens of one sign-in. */
export interface HostedGrant {
  scope: string
  readonly query: URLSearchParams
  readonly startedAt: number
  refreshToken: string | undefined
  accessToken: string
  alive: boolean
}

export interface HostedRules<Fact extends string> {
  readonly facts: Readonly<Record<Fact, string>>
  readonly clock: HandClock
  readonly tokenEndpoint: string
  /** Checks an authorization request. Throws the error that the user would see instead of being redirected. */
  authorize?(query: URLSearchParams, meet: (fact: Fact) => void): void
  /** The parameters that `approve` adds to the callback. */
  readonly callback?: Readonly<Record<string, string>>
  /** Refuses a request to the token endpoint before it is processed. */
  refuse?(form: URLSearchParams, request: Request, meet: (fact: Fact) => void): Response | undefined
  /** The response for a new or refreshed grant. */
  answer(
    grant: HostedGrant,
    kind: 'authorization_code' | 'refresh_token',
    tools: { meet(fact: Fact): void; secret(kind: string): string },
  ): Response | Promise<Response>
  /** The response to an invalid code or refresh token. */
  dead(kind: 'authorization_code' | 'refresh_token', meet: (fact: Fact) => void): Response
  /** Whether a refresh token is still valid. Default: yes. */
  lives?(grant: HostedGrant): boolean
}

let made = 0

const challengeOf = async (verifier: string): Promise<string> => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)))
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** The common part of all doubles: codes that work once and only with their verifier, and grants. */
export function createHosted<Fact extends string>(rules: HostedRules<Fact>) {
  const met = new Set<Fact>()
  const meet = (fact: Fact) => void met.add(fact)
  const secrets = new Set<string>()
  const secret = (kind: string) => {
    const value = `${kind}-${++made}-${crypto.randomUUID()}`
    secrets.add(value)
    return value
  }
  const codes = new Map<string, URLSearchParams>()
  const grants: HostedGrant[] = []
  const forms: URLSearchParams[] = []
  /** Responses to send instead of the double's own, in order. */
  const failNext: (() => Response)[] = []

  const token = async (request: Request): Promise<Response> => {
    const form = new URLSearchParams(await request.clone().text())
    forms.push(form)
    const failure = failNext.shift()
    if (failure) return failure()
    const refusal = rules.refuse?.(form, request, meet)
    if (refusal) return refusal
    const kind = form.get('grant_type') as 'authorization_code' | 'refresh_token'
    if (kind === 'refresh_token') {
      const grant = grants.find(({ refreshToken }) => refreshToken === form.get('refresh_token'))
      if (!grant?.alive || rules.lives?.(grant) === false) return rules.dead(kind, meet)
      return rules.answer(grant, kind, { meet, secret })
    }
    const query = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const verifier = form.get('code_verifier') ?? ''
    if (!query || (await challengeOf(verifier)) !== query.get('code_challenge')) return rules.dead(kind, meet)
    const scope = query.get('scope') ?? ''
    const grant = { scope, query, startedAt: rules.clock.now(), alive: true }
    grants.push({ ...grant, refreshToken: undefined, accessToken: '' })
    return rules.answer(grants.at(-1) as HostedGrant, kind, { meet, secret })
  }

  return {
    facts: rules.facts,
    met,
    meet,
    secrets,
    secret,
    grants,
    forms,
    failNext,
    handlers: [http.post(rules.tokenEndpoint, ({ request }) => token(request))] as RequestHandler[],
    approve(address: string): string {
      const query = new URL(address).searchParams
      rules.authorize?.(query, meet)
      const code = secret('code')
      codes.set(code, query)
      const callback = new URL(query.get('redirect_uri') ?? '')
      const { callback: more } = rules
      const parameters = { code, state: query.get('state') ?? '', ...more }
      callback.search = new URLSearchParams(parameters).toString()
      return callback.href
    },
    /** The grant of the request's access token, if it is the newest token of a valid grant. */
    grantOf: (request: Request) => {
      const [, accessToken] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
      return grants.find(grant => grant.alive && grant.accessToken === accessToken)
    },
  }
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  HttpResponse.json(body as never, { status, headers })

/** An error response (RFC 6749 section 5.2). */
export const oauthRefusal = (error: string, description?: string, status = 400): Response =>
  json({ error, error_description: description }, status)
