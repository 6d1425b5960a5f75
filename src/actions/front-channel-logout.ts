import type { Client } from '../core/client.ts'

/**
 * Ends this browser's session if `iss` and `sid` in the address name it. Call it in the page that the provider loads in a
 * frame when the user signs out elsewhere (OpenID Connect Front-Channel Logout section 2). It does not navigate, and ignores
 * all other parameters. It works only if the browser lets a frame in the provider's page read this origin's storage.
 * @param address the page's address. Register the page with `frontchannel_logout_session_required`.
 * @returns whether latchkey ended the session.
 */
export async function frontChannelLogout(
  client: Pick<Client, 'start' | 'signOut'>,
  address: string | URL,
): Promise<boolean> {
  const { searchParams } = new URL(address)
  const session = await client.start()
  const claims = session.status === 'signed-in' ? session.claims : undefined
  const isMeant = (['iss', 'sid'] as const).every(name => {
    const [value, ...more] = searchParams.getAll(name)
    return value !== undefined && !more.length && value === claims?.[name]
  })
  if (isMeant) await client.signOut({ endProviderSession: false })
  return isMeant
}
