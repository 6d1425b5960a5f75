import type { AuthorizationServer } from 'oauth4webapi'
import type { Emit } from '../core/events.ts'
import type { KeyValue } from '../core/ports.ts'
import { ServerError } from '../errors.ts'

/** What metadata may announce against attacks, and an attacker would take out. */
const PROTECTIONS = [
  'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported',
  'dpop_signing_alg_values_supported',
  'pushed_authorization_request_endpoint',
] as const

export interface ProtectionPorts {
  readonly keyValue: KeyValue
  /** Begins the names of the records of this client. */
  readonly name: string
  readonly strict: boolean
  readonly emit: Emit
}

/**
 * Compares metadata with the protections that this client has seen there before, and remembers new ones (RFC 9700
 * section 4.4). Without `strict` nobody waits for it, and a loss is only told by an event `warning`.
 * @throws ServerError with `strict`.
 */
export function watchProtections({ keyValue, name, strict, emit }: ProtectionPorts) {
  const key = `${name} protections`
  const compare = async (as: AuthorizationServer) => {
    const stored = await keyValue.get(key).catch(() => {})
    const seen: unknown[] = Array.isArray(stored) ? stored : []
    const has = PROTECTIONS.filter(member => as[member])
    const lost = PROTECTIONS.filter(member => seen.includes(member) && !has.includes(member))
    const all = [...new Set([...seen, ...has])]
    if (all.length > seen.length) void keyValue.update(key, () => all).catch(() => {})
    if (!lost.length) return
    const message = `The metadata of ${as.issuer} has lost ${lost.join(', ')}, which it had before.`
    if (strict) throw new ServerError(message, { error: 'metadata_downgrade' })
    emit({ type: 'warning', about: 'metadata_downgrade', message })
  }
  return async (as: AuthorizationServer): Promise<void> => {
    const compared = compare(as)
    if (strict) await compared
  }
}
