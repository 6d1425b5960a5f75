import { type Client, type ClientAuth, clockSkew, None } from 'oauth4webapi'
import type { ClientAuthentication } from '../core/extension.ts'
import type { Clock } from '../core/ports.ts'

/**
 * This client and its credentials, as oauth4webapi takes them.
 * @param aheadMs how far the server's clock is ahead of this device's: what is signed says the time by that.
 */
export const identityOf = (
  {
    clientId,
    clientAuthentication,
  }: { readonly clientId: string; readonly clientAuthentication?: ClientAuthentication | undefined },
  clock: Clock,
  aheadMs: number,
): [Client, ClientAuth] => [
  {
    client_id: clientId,
    use_mtls_endpoint_aliases: clientAuthentication?.mtls ?? false,
    // oauth4webapi adds this to what it reads from Date itself
    [clockSkew]: Math.round((clock.now() + aheadMs - Date.now()) / 1000),
  },
  clientAuthentication?.authenticate ?? None(),
]
