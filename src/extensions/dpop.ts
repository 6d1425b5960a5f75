import {
  allowInsecureRequests,
  customFetch,
  DPoP,
  type DPoPHandle,
  generateKeyPair,
  isDPoPNonceError,
  modifyAssertion,
  protectedResourceRequest,
} from 'oauth4webapi'
import { parseChallenges } from '../core/challenge.ts'
import type { ExtensionContext, ExtensionHooks } from '../core/extension.ts'
import { AuthorizationRequiredError, ConfigurationError, ServerError } from '../errors.ts'
import { createDpopKeys, type DpopKey, type KeyPlace } from './dpop-keys.ts'

/** The hooks that `dpop()` loads. */
export type DpopHooks = Required<
  Pick<ExtensionHooks, 'authorizationRequest' | 'tokenRequest' | 'presentation' | 'ended'>
>

/** The characters of a nonce (RFC 9449 section 8.1). No server sends more than 1024. */
const NONCE = /^[!#-[\]-~]{1,1024}$/
/** The most servers whose nonce is remembered. */
const MOST_NONCES = 100
/** The most keys in memory. Others are read from the store again. */
const MOST_HANDLES = 40

const nonceOf = ({ headers }: Response): string | undefined =>
  NONCE.exec(headers.get('dpop-nonce') ?? '')?.[0]

const UNREADABLE =
  'requires a DPoP nonce, but its header "DPoP-Nonce" is missing or not readable. Let a server that pages call also send "Access-Control-Expose-Headers: DPoP-Nonce".'

const isRedirect = ({ type, status, headers }: Response): boolean =>
  type === 'opaqueredirect' || (status >= 300 && status < 400 && headers.has('location'))

/** The newest nonces by origin: each server issues its own (RFC 9449 section 8). */
type Nonces = Map<string, string>

/** Puts proofs on the calls of APIs, and takes nonces from their responses (RFC 9449 sections 7 and 9). */
const createPresentation = (
  context: ExtensionContext,
  nonces: Nonces,
  handleOf: (sessionId: string) => Promise<DPoPHandle | undefined>,
): DpopHooks['presentation'] => ({
  async headers({ method, url }, accessToken, sessionId) {
    const handle = await handleOf(sessionId)
    if (!handle) {
      const current = context.session()
      if (current?.sessionId !== sessionId) {
        throw new AuthorizationRequiredError(current ? 'replaced' : 'signed_out')
      }
      await context.endSession(sessionId, 'dpop_key_lost')
      throw new AuthorizationRequiredError('dpop_key_lost')
    }
    let headers: Record<string, string> = {}
    // lets oauth4webapi create the proof, but does not send its request: the caller sends its own
    await protectedResourceRequest(accessToken, method, new URL(url), undefined, undefined, {
      DPoP: handle,
      [allowInsecureRequests]: true, // findDestination() allows http only on loopback
      async [customFetch](_, request) {
        headers = request.headers
        return new Response()
      },
    })
    const { authorization = '', dpop = '' } = headers
    return { authorization, dpop }
  },

  answered(url, response, redirect) {
    if (redirect === 'follow' && isRedirect(response)) {
      throw new ConfigurationError(
        `${url} answers with a redirect. With DPoP, latchkey does not follow redirects, because a proof is for one URL (RFC 9449 section 4.2). Call the URL that it leads to.`,
      )
    }
    const { origin } = new URL(url)
    const nonce = nonceOf(response)
    if (nonce) {
      if (nonces.size >= MOST_NONCES) nonces.clear()
      nonces.set(origin, nonce)
    }
    const isAsked =
      response.status === 401 &&
      parseChallenges(response.headers.get('www-authenticate')).some(
        ({ scheme, parameters }) => scheme === 'dpop' && parameters.get('error') === 'use_dpop_nonce',
      )
    if (isAsked && !nonce) context.warn('dpop_nonce', `${origin} ${UNREADABLE}`)
    return isAsked && nonce !== undefined
  },
})

/**
 * Binds tokens to a key that does not leave this device (RFC 9449), so that a stolen token is useless.
 * @param algorithm the signature algorithm of the proofs.
 * @param elsewhere the store for keys that the client's own store cannot hold.
 */
export function createDpop(
  context: ExtensionContext,
  algorithm: string,
  elsewhere: KeyPlace | undefined,
): DpopHooks {
  const keys = createDpopKeys(context, elsewhere, extractable => generateKeyPair(algorithm, { extractable }))
  const handles = new Map<string, Promise<DPoPHandle | undefined>>()
  const nonces: Nonces = new Map()

  const toHandle = ({ keyPair, aheadMs }: DpopKey): DPoPHandle =>
    DPoP({}, keyPair, {
      [modifyAssertion](_, proof) {
        const ahead = context.serverAheadMs() || aheadMs
        proof.iat = Math.floor((context.clock.now() + ahead) / 1000)
        const nonce = nonces.get(new URL(String(proof.htu)).origin)
        if (nonce) proof.nonce = nonce
        else delete proof.nonce // oauth4webapi may have added one that failed the check of NONCE
      },
    })

  const handleOf = (sessionId: string): Promise<DPoPHandle | undefined> => {
    let handle = handles.get(sessionId)
    if (!handle) {
      handle = keys.find(sessionId).then(found => found && toHandle(found))
      handles.set(sessionId, handle)
      // do not cache a missing key or a failed read
      handle.then(
        found => found ?? handles.delete(sessionId),
        () => handles.delete(sessionId),
      )
    }
    return handle
  }

  const create = async (sessionId: string): Promise<DPoPHandle> => {
    const handle = toHandle(await keys.create(sessionId))
    if (handles.size >= MOST_HANDLES) handles.clear() // most belong to abandoned sign-ins
    handles.set(sessionId, Promise.resolve(handle))
    return handle
  }

  return {
    async authorizationRequest({ sessionId, parameters }) {
      // binds the authorization code to the key too (RFC 9449 section 10)
      parameters.set('dpop_jkt', await (await create(sessionId)).calculateThumbprint())
    },

    async tokenRequest(sessionId, send) {
      const session = context.session()
      // a session that began before the app used DPoP is bound at its next refresh
      const isUnbound = session?.sessionId === sessionId && session.tokenType !== 'dpop'
      const handle = (await handleOf(sessionId)) ?? (isUnbound ? await create(sessionId) : undefined)
      if (!handle) throw new AuthorizationRequiredError('dpop_key_lost')
      const request = () => send({ DPoP: handle })
      let isGranted = false
      try {
        const granted = await request().catch(error => {
          if (!isDPoPNonceError(error)) throw error
          if (nonceOf(error.response)) return request() // the server has not used the code or refresh token (section 8)
          throw new ServerError(`The authorization server ${UNREADABLE}`, { error: 'use_dpop_nonce' })
        })
        isGranted = true
        return granted
      } finally {
        void keys.used(sessionId, context.serverAheadMs(), isGranted)
      }
    },

    presentation: createPresentation(context, nonces, handleOf),

    ended(sessionId) {
      handles.delete(sessionId)
      void keys.destroy(sessionId)
    },
  }
}
