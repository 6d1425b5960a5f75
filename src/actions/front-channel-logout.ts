import type { Client } from '../core/client.ts'

/**
 * For the page that the provider loads in a frame when the user signs out elsewhere (OpenID Connect Front-Channel Logout
 * section 2): ends the session of this browser if it is the one that is meant. Nothing is navigated, and nothing else in
 * the address is looked at. Works where the browser lets a frame of the provider's page see this origin's storage.
 * @param address of the page, with `iss` and `sid`: register it with `frontchannel_logout_session_required`.
 * @returns whether a session was ended.
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
