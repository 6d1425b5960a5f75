import { describe, expect, test } from 'vitest'
import type { UserAgent } from '../../src/core/ports.ts'

/** A user agent whose user is the test. */
export interface UserAgentStage {
  readonly agent: UserAgent
  /** What was shown to the user so far. */
  readonly shown: readonly string[]
  /** Brings a URL back to where the agent waits; a URL that cannot get there is not delivered. */
  deliver(url: string): Promise<void>
}

export interface UserAgentSubject {
  readonly redirectUri: string
  /** An agent that gives up after `timeoutMs`. */
  create(timeoutMs?: number): UserAgentStage
}

const AUTHORIZE = 'https://id.example.com/authorize?a=b%20c'
let count = 0

/** What every UserAgent must do that brings the answer itself. */
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
    test('its name is letters only, because it becomes part of state', () => {
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

    test('the URL is shown as it is, once, and the answer is the whole callback URL', async () => {
      const { attempt, shown, deliver, answer, good } = await begin()
      await expect.poll(() => shown).toEqual([AUTHORIZE])
      await deliver(good)
      expect(await answer).toBe(good)
      expect(shown).toHaveLength(1)
      attempt.close()
    })

    test('an error of the authorization server is an answer like any other', async () => {
      const { attempt, shown, deliver, answer, at, state } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(`${at}?error=access_denied&state=${state}`)
      expect(await answer).toBe(`${at}?error=access_denied&state=${state}`)
      attempt.close()
    })

    test('another state, none, or another path is no answer: it goes on waiting [NA02, NA05]', async () => {
      const { attempt, shown, deliver, answer, at, state, good } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(`${at}?code=2&state=lk.other.1.x`)
      await deliver(`${at}?code=2`)
      await deliver(`${at}/more?code=2&state=${state}`)
      await deliver(good)
      expect(await answer).toBe(good)
      attempt.close()
    })

    test('nobody answers: it ends by itself with a typed error [NA02]', async () => {
      const { attempt, answer } = await begin(20)
      expect(await answer).toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
      attempt.close()
    })

    test('closing twice, and after the end, is harmless', async () => {
      const { attempt, shown, deliver, answer, good } = await begin()
      await expect.poll(() => shown).toHaveLength(1)
      await deliver(good)
      await answer
      attempt.close()
      expect(() => attempt.close()).not.toThrow()
    })
  })
}
