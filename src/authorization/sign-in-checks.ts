import type { AuthorizationServer } from 'oauth4webapi'
import type { KeyValue } from '../core/ports.ts'
import type { Quirk } from '../core/quirks.ts'
import type { Warn } from '../core/warn-once.ts'
import { ConfigurationError } from '../errors.ts'
import type { Transaction } from './transaction.ts'

export interface SignInCheckPorts {
  readonly issuer: string
  readonly quirks: ReadonlySet<Quirk>
  readonly strict: boolean
  readonly keyValue: KeyValue
  readonly warn: Warn
}

/**
 * Looks at a sign-in before it begins, and warns.
 * @throws ConfigurationError for a server that must not be signed in to like this.
 */
export async function checkSignIn(
  ports: SignInCheckPorts,
  as: AuthorizationServer,
  redirectUri: string,
): Promise<void> {
  if (![as.code_challenge_methods_supported ?? 'S256'].flat().includes('S256')) {
    const message = `${as.issuer} does not announce PKCE with S256`
    if (!ports.quirks.has('pkce_not_announced')) {
      throw new ConfigurationError(
        `${message}, without which latchkey does not sign in. If it supports it all the same, add "pkce_not_announced" to "quirks".`,
        { quirk: 'pkce_not_announced' },
      )
    }
    ports.warn('quirk', `${message}: it is sent all the same (pkce_not_announced).`)
  }
  if (!as.authorization_response_iss_parameter_supported) await checkMixUp(ports, redirectUri)
}

/**
 * Where a server does not say whose an answer is (RFC 9207), another server must not send its answers to the same place
 * (RFC 9700 section 4.4.2). Who signs in at one issuer only hears nothing of this.
 */
async function checkMixUp(
  { issuer, strict, keyValue, warn }: SignInCheckPorts,
  redirectUri: string,
): Promise<void> {
  for (const key of await keyValue.keys('latchkey ').catch(() => [])) {
    const [, other] = key.split(' ')
    if (other === issuer || !key.includes(' transaction ')) continue
    const stored = (await keyValue.get(key).catch(() => undefined)) as Partial<Transaction> | undefined
    if (stored?.redirectUri !== redirectUri) continue
    const message = `${issuer} does not say in its answers that they are its own (RFC 9207), and ${other} answers to the same "redirectUri". Give each issuer one of its own.`
    if (strict) throw new ConfigurationError(message)
    return warn('mix_up', message)
  }
}

/** Whether another client that shares the store waits for this answer. @param own the key that it has here. */
export const isAwaitedElsewhere = async (keyValue: KeyValue, state: string, own: string): Promise<boolean> =>
  (await keyValue.keys('latchkey ').catch(() => [])).some(
    key => key.endsWith(` transaction ${state}`) && key !== own,
  )
