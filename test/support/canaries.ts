import { inspect } from 'node:util'
import type { Client } from '../../src/core/client.ts'

/** Returns everything that is visible of a value as text, including hidden and inherited members, Maps and nested causes. */
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
  } catch {} // a cyclic value has no JSON form
  const whole = inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null })
  return [whole, json, ...own].join('\n')
}

/** A value that must not contain a secret, and where it came from. */
export interface Shown {
  readonly where: string
  readonly what: unknown
}

/** Finds the secrets that are shown, and where: `[]` if there are none. */
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
 * Records every error of a client's methods, without changing what they do. The returned function adds the client's events,
 * its sessions, its report and the client itself at the time of the call.
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
