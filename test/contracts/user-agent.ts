import { describe, expect, test } from 'vitest'
import type { UserAgent } from '../../src/core/ports.ts'

/** A user agent that the test controls as its user. */
export interface UserAgentStage {
  readonly agent: UserAgent
  /** The URLs shown to the user so far. */
  readonly shown: readonly string[]
  /** Delivers a URL to the waiting agent. A URL that cannot get there is not delivered. */
  deliver(url: string): Promise<void>
}

export interface UserAgentSubject {
  readonly redirectUri: string
  /** An agent that gives up after `timeoutMs`. */
  create(timeoutMs?: number): UserAgentStage
}

const AUTHORIZE = 'https://id.example.com/authorize?a=b%20c'
let count = 0

/** Requirements for every UserAgent that returns the response itself. */
export function userAgentContract(name: string, { redirectUri, create }: UserAgentSubject): void {
  const begin = async (timeoutMs?: number) => {
    const stage = create(timeoutMs)
    const attempt = stage.agent.begin(redirectUri)
    const state = `lk.${stage.agent.name}.${(count++).toString(36)}.x`
    const at = await attempt.redirectUri
    const answer = attempt.authorize(AUTHORIZE, state).catch((error: unknown) => error)
    return { ...stage, attempt, state, at, answer, good: `${at}?code=1&state=${state}` }
  }

  describe(`${name} as a UserAgent`, () => {
    test('its name contains only letters, because it becomes part of state', () => {
      expect(create().agent.name).toMatch(/^[A-Za-z]+$/)
    })

    test('its redirect URI is absolute, with the scheme and path of the configured one [NA01]', async () => {
      const { attempt, at } = await begin()
      const [actual, wanted] = [new URL(at), new URL(redirectUri)]
      expect([actual.protocol, actual.hostname, actual.pathname]).toEqual([
        wanted.protocol,
        wanted.hostname,
        wanted.pathname,
      ])
      attempt.close()
    })

    test('the URL is shown unchanged, once, and the result is the whole callback URL', async () => {
      const { attempt, shown, deliver, answer, good } = await begin()
      await expect.poll(() => shown).toEqual([AUTHORIZE])
      await deliver(good)
      expect(await answer).toBe(good)
      expect(shown).toHaveLength(1)
      attempt.close()
    })

    test('an error from the authorization server is a response like any other', async () => {
      const { attempt, shown, deliver, answer, at, state } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(`${at}?error=access_denied&state=${state}`)
      expect(await answer).toBe(`${at}?error=access_denied&state=${state}`)
      attempt.close()
    })

    test('a response with another state, no state, or another path is ignored [NA02, NA05]', async () => {
      const { attempt, shown, deliver, answer, at, state, good } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(`${at}?code=2&state=lk.other.1.x`)
      await deliver(`${at}?code=2`)
      await deliver(`${at}/more?code=2&state=${state}`)
      await deliver(good)
      expect(await answer).toBe(good)
      attempt.close()
    })

    test('it ends with a typed error if no response arrives [NA02]', async () => {
      const { attempt, answer } = await begin(20)
      expect(await answer).toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
      attempt.close()
    })

    test('closing twice, or after the end, does no harm', async () => {
      const { attempt, shown, deliver, answer, good } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(good)
      await answer
      attempt.close()
      expect(() => attempt.close()).not.toThrow()
    })
  })
}
