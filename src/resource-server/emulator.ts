import type { Transport } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import type { Clock } from '../core/ports.ts'

/**
 * Asks Firebase's Auth emulator whether a token is one of its own: whose user it still has, and has not disabled.
 * @throws NetworkError or ServerError where there is no answer: where no emulator runs, no unsigned token is valid.
 */
export const createEmulatorLookup =
  (emulator: string, { transport, clock }: { transport: Transport; clock: Clock }) =>
  async (idToken: string): Promise<boolean> => {
    const { origin } = new URL(emulator)
    const response = await transport(
      `${origin}/identitytoolkit.googleapis.com/v1/accounts:lookup?key=emulator`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ idToken }),
      },
    )
    if (response.ok || response.status === 400) return response.ok
    throw toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The request to the Auth emulator', clock.now())
  }
