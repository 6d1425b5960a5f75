import {
  allowInsecureRequests,
  backchannelAuthenticationRequest,
  customFetch,
  deviceAuthorizationRequest,
  processBackchannelAuthenticationResponse,
  processDeviceAuthorizationResponse,
} from 'oauth4webapi'
import { type AcceptDeviation, REPORT, toLatchkeyError } from '../authorization/failure.ts'
import { endpointOf } from '../authorization/metadata.ts'
import type { ObtainPorts } from '../authorization/sign-in.ts'
import { identity, type TokenRequest, tokenRequest } from '../authorization/token-request.ts'
import { readMembers, withMembers } from '../authorization/token-response.ts'
import { isConfidential, parseUrl } from '../core/destination.ts'
import type { Grant } from '../core/grant.ts'
import type { SignInAttempt, UserAgent } from '../core/ports.ts'
import { epochOf, sessionOf, watchForSession } from '../core/session.ts'
import { CallbackError, ConfigurationError, ServerError } from '../errors.ts'
import { poll } from './poll.ts'

/** The texts to show to the user (RFC 8628 section 3.3). All of them are safe to print to a terminal. */
export interface DeviceCodePrompt {
  /** The code that the user types, without control characters. */
  readonly userCode: string
  /** The address where the user types it: https. */
  readonly verificationUri: string
  /** The same address with the code in it, for a QR code or a link, if the server gave one. */
  readonly verificationUriComplete: string | undefined
  /** How long the user may take. */
  readonly expiresInSeconds: number
}

export interface DeviceCodeOptions {
  /** Shows the code and the address to the user. */
  show(prompt: DeviceCodePrompt): void | Promise<void>
}

/** How the server finds the user (OpenID Connect CIBA section 7.1). Set exactly one hint, here or in `authorizationParameters`. */
export interface CibaOptions {
  /** Whom to ask, such as an e-mail address. */
  loginHint?: string
  /** An ID Token of the user. */
  idTokenHint?: string
  /** A token that says whom to ask. */
  loginHintToken?: string
  /** A text that the user sees on both devices. */
  bindingMessage?: string
  /** Further parameters, such as `user_code` or `acr_values`. */
  parameters?: Readonly<Record<string, string>>
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const CIBA = 'urn:openid:params:grant-type:ciba'

/** Characters that move the cursor, or hide or reverse text. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const LONGEST_CODE = 100

const invalidResponse = (what: string) =>
  new ServerError(`The answer of the device authorization endpoint ${what}. ${REPORT}`, {
    error: 'invalid_response',
  })

/** Accepts only an address that is safe to show and open: https, or http on loopback (RFC 8628 section 5.4: phishing). */
function parseVerificationUri(value: string, plainHttp: ReadonlySet<string>): string {
  const url = parseUrl(value)
  if (!url || !isConfidential(url, plainHttp) || url.username || url.password)
    throw invalidResponse('has a verification_uri that is not https')
  return url.href
}

/** A sign-in after its first request: latchkey polls the token endpoint until the user has decided. */
interface Begun {
  readonly secret: string
  readonly parameters: Readonly<Record<string, string>>
  readonly expiresInSeconds: number
  readonly intervalSeconds: number | undefined
}

/** Sends the first request of a grant that needs a user. */
type Begin = (ports: ObtainPorts, form: URLSearchParams, options: object) => Promise<Begun>

/** Renames `verification_url` to `verification_uri` (RFC 8628 section 3.2): some servers use the name of an early draft. */
async function withVerificationUri(answer: Response, acceptDeviation: AcceptDeviation): Promise<Response> {
  if (answer.status !== 200) return answer
  const members = await readMembers(answer, acceptDeviation)
  if (members?.verification_uri !== undefined || members?.verification_url === undefined)
    return withMembers(answer, members)
  acceptDeviation('verification_url', 'spells verification_uri as verification_url')
  return withMembers(answer, { ...members, verification_uri: members.verification_url })
}

/** RFC 8628 section 3.1 */
const beginDevice =
  (show: DeviceCodeOptions['show']): Begin =>
  async (ports, form, options) => {
    const as = await ports.server()
    const [client, authentication] = identity(ports)
    endpointOf(as, 'device_authorization_endpoint', ports.settings.clientAuthentication?.mtls)
    const response = await deviceAuthorizationRequest(as, client, authentication, form, options)
    const spelled = await withVerificationUri(response, ports.acceptDeviation)
    const answer = await processDeviceAuthorizationResponse(as, client, spelled)
    const { device_code, user_code, verification_uri, verification_uri_complete } = answer
    const userCode = user_code.replace(CONTROLS, '').slice(0, LONGEST_CODE)
    if (!userCode) throw invalidResponse('has no user_code')
    const verificationUri = parseVerificationUri(verification_uri, ports.settings.plainHttp)
    let verificationUriComplete: string | undefined
    try {
      verificationUriComplete =
        verification_uri_complete && parseVerificationUri(verification_uri_complete, ports.settings.plainHttp)
    } catch {} // it is optional: `verificationUri` is enough
    const { expires_in: expiresInSeconds, interval: intervalSeconds } = answer
    await show({ userCode, verificationUri, verificationUriComplete, expiresInSeconds })
    return { secret: device_code, parameters: { device_code }, expiresInSeconds, intervalSeconds }
  }

/** OpenID Connect CIBA section 7.1, in poll mode. */
const beginCiba: Begin = async (ports, form, options) => {
  const hints = ['login_hint', 'login_hint_token', 'id_token_hint'].filter(name => form.has(name))
  if (hints.length !== 1)
    throw new ConfigurationError(
      'ciba() requires exactly one hint that identifies the user, such as { loginHint: "alice@example.com" }.',
    )
  const as = await ports.server()
  const [client, authentication] = identity(ports)
  endpointOf(as, 'backchannel_authentication_endpoint', ports.settings.clientAuthentication?.mtls)
  const response = await backchannelAuthenticationRequest(as, client, authentication, form, options)
  const answer = await processBackchannelAuthenticationResponse(as, client, response)
  const { auth_req_id, expires_in: expiresInSeconds, interval: intervalSeconds } = answer
  return { secret: auth_req_id, parameters: { auth_req_id }, expiresInSeconds, intervalSeconds }
}

/** Runs one sign-in of a grant that needs a user. Resolves when the session is stored. */
async function obtain(
  ports: ObtainPorts,
  type: string,
  parameters: Readonly<Record<string, string>>,
  begin: Begin,
  signal: AbortSignal,
): Promise<void> {
  const { records, clock, settings, extensions, idTokens, emit } = ports
  const { scope, parameters: asked } = ports.demands
  const stored = await records.read()
  const epoch = epochOf(records.inStore)
  const sessionId = crypto.randomUUID()
  const form = new URLSearchParams({ ...(scope && { scope }), ...asked, ...parameters })
  const as = await ports.server()
  endpointOf(as, 'token_endpoint', settings.clientAuthentication?.mtls)
  // dpop() creates the session's key in this hook
  await extensions.authorizationRequest({ server: as, sessionId, parameters: form })
  let begun: Begun
  try {
    emit({ type: 'authorization-request', scope, userAgent: type === CIBA ? 'ciba' : 'device' })
    begun = await begin(ports, form, {
      [allowInsecureRequests]: true, // endpointOf() refuses http, except on loopback
      async [customFetch](url: string, init: object) {
        const answer = await ports.transport(url, init)
        const headers = new Headers(answer.headers)
        headers.delete('www-authenticate') // oauth4webapi would report it, not the error in the body
        return new Response(answer.body, { status: answer.status, headers })
      },
    })
  } catch (error) {
    const secrets = [...form].filter(([name]) => name !== 'scope').map(([, value]) => value)
    secrets.push(...(settings.clientAuthentication?.secrets?.() ?? []))
    throw toLatchkeyError(error, 'The request to sign in', clock.now(), secrets)
  }

  const judge: TokenRequest['judge'] = async (server, response) => {
    if (response.id_token === undefined) return { claims: undefined }
    const { claims, verify } = await idTokens.judge(server, response)
    await verify()
    return { claims }
  }
  let attempt = 0
  await poll({
    clock,
    ...begun,
    signal,
    isSignedIn: watchForSession(records, { sessionId: sessionOf(stored)?.sessionId }),
    async redeem() {
      const granted = await tokenRequest(ports, {
        ...{ grantType: type, sessionId, attempt: ++attempt, received: {}, judge },
        parameters: begun.parameters,
        secrets: [begun.secret],
      })
      await ports.begin(sessionId, epoch, granted)
      ports.changed(sessionId)
    },
  })
}

/** A sign-in attempt that opens no page. */
function attemptOf(
  type: string,
  parameters: () => Readonly<Record<string, string>>,
  begin: Begin,
): SignInAttempt & Required<Pick<SignInAttempt, 'obtain'>> {
  const closing = new AbortController()
  return {
    redirectUri: '',
    authorize: async () => undefined,
    async obtain(ports) {
      await obtain(ports as ObtainPorts, type, parameters(), begin, closing.signal)
      return true
    },
    close: () =>
      closing.abort(new CallbackError('The sign-in was closed. Offer sign-in again.', 'cancelled')),
  }
}

/**
 * One attempt of the device grant, for a user agent that chooses between several ways to sign in.
 * @param options.isOptional whether to resolve with `false` if the server does not offer the grant to this client. Otherwise
 * it rejects.
 */
export function deviceAttempt(options: DeviceCodeOptions & { isOptional: boolean }): Pick<
  SignInAttempt,
  'close'
> & {
  obtain(ports: unknown): Promise<boolean>
} {
  let isShown = false
  const show: DeviceCodeOptions['show'] = prompt => {
    isShown = true
    return options.show(prompt)
  }
  const attempt = attemptOf(DEVICE_CODE, () => ({}), beginDevice(show))
  return {
    close: attempt.close,
    async obtain(ports) {
      const { isOptional } = options
      const as = isOptional && (await (ports as ObtainPorts).server())
      if (as && !as.device_authorization_endpoint) return false
      try {
        return await attempt.obtain(ports)
      } catch (error) {
        if (isOptional && !isShown && error instanceof ServerError && error.status !== undefined) return false
        throw error
      }
    },
  }
}

const grantOf = (type: string, userAgent: UserAgent): Grant => ({ type, userAgent })

/**
 * The device grant (RFC 8628): the user types a short code on another device. Use it with the option `grant`, and call
 * `signIn()`.
 * @param options.show shows the code and the address to the user.
 * @throws ConfigurationError if `show` is missing.
 */
export function deviceCode(options: DeviceCodeOptions): Grant {
  if (typeof options?.show !== 'function')
    throw new ConfigurationError('deviceCode() needs a function "show" that shows the code to the user.')
  const begin = () => attemptOf(DEVICE_CODE, () => ({}), beginDevice(options.show))
  return grantOf(DEVICE_CODE, { name: 'device', begin })
}

/**
 * Asks a user on another device (OpenID Connect CIBA, poll mode). Use it with the option `grant`, and call `signIn()`.
 * @param options how the server finds the user. Default: the `authorizationParameters` of the sign-in contain the hint.
 */
export function ciba({
  loginHint,
  idTokenHint,
  loginHintToken,
  bindingMessage,
  parameters,
}: CibaOptions = {}): Grant {
  const hints = {
    login_hint: loginHint,
    id_token_hint: idTokenHint,
    login_hint_token: loginHintToken,
    binding_message: bindingMessage,
  }
  const own = Object.entries(hints).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const all = () => ({ ...parameters, ...Object.fromEntries(own) })
  return grantOf(CIBA, { name: 'ciba', begin: () => attemptOf(CIBA, all, beginCiba) })
}
