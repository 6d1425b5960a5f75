import { inspect } from 'node:util'
import type { Client } from '../../src/core/client.ts'

/** Everything that can be seen of a value: also what is hidden, inherited, in a Map, or a cause of a cause. */
export function everything(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (seen.has(value)) return ''
  seen.add(value)
  const own = Reflect.ownKeys(value).map(
    name => `${String(name)}: ${everything(Reflect.get(value, name), seen)}`,
  )
  let json = ''
  try {
    json = JSON.stringify(value) ?? ''
  } catch {} // what goes round in circles has no JSON form
  const whole = inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null })
  return [whole, json, ...own].join('\n')
}

/** What somebody who may not see secrets was shown, by where it came from. */
export interface Shown {
  readonly where: string
  readonly what: unknown
}

/** Where secrets show, and which: `[]` where none does. */
export const findSecrets = (secrets: Iterable<string>, shown: readonly Shown[]): string[] => {
  const texts = shown.map(({ where, what }) => ({ where, text: everything(what) }))
  return [...secrets].flatMap(secret =>
    texts.filter(({ text }) => text.includes(secret)).map(({ where }) => `${where} shows ${secret}`),
  )
}

const METHODS = [
  'start',
  'signIn',
  'recover',
  'handleCallback',
  'fetch',
  'getAccessToken',
  'signOut',
] as const

/**
 * Notes every error that a client's methods end with, without a change to what they do. What it tells by events and
 * explain(), and what can be seen of itself, is looked at when the list is asked for.
 */
export function watchClient(client: Client): () => readonly Shown[] {
  const errors: Shown[] = []
  const events: unknown[] = []
  const sessions: unknown[] = []
  for (const name of METHODS) {
    const method = client[name] as (...args: unknown[]) => Promise<unknown>
    const watched = (...args: unknown[]) => {
      const end = method(...args)
      end.catch(what => errors.push({ where: `the error of ${name}()`, what }))
      return end
    }
    Object.defineProperty(client, name, { value: watched })
  }
  client.events.subscribe(event => events.push(event))
  client.subscribe(session => sessions.push(session))
  return () => [
    ...errors,
    { where: 'an event', what: events },
    { where: 'the session', what: [client.session, sessions] },
    { where: 'explain()', what: client.explain() },
    { where: 'the client itself', what: client },
  ]
}
