import { isTransaction } from '../core/keys.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { StorageError } from '../errors.ts'
import type { Cipher } from './encrypted.ts'
import type { RedisCommands } from './redis-connection.ts'

/** The time limit of one command: many client libraries queue commands while they are not connected. */
const COMMAND_MS = 2000
/** How long an unfinished sign-in is kept. */
const TRANSACTION_MS = 2 * 3_600_000
/** How many times to try an update while other clients keep changing the value. */
const MOST_TRIES = 100

const GET = `return redis.call('GET', KEYS[1])`

/** Replaces a value that is unchanged since it was read, and updates the list of names. Else returns the current value. */
const COMPARE_AND_SWAP = `
local found = redis.call('GET', KEYS[1])
if (found or '') ~= ARGV[1] then return {0, found or ''} end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[2], 0, ARGV[4])
end
return {1, ''}`

/** Lists the names with a prefix. Removes the names whose values have expired. */
const KEYS_BY_PREFIX = `
local first, last = '-', '+'
if ARGV[1] ~= '' then
  first = '[' .. ARGV[1]
  last = '(' .. ARGV[1] .. '\\255'
end
local kept = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], first, last)) do
  if redis.call('EXISTS', ARGV[2] .. name) == 1 then table.insert(kept, name)
  else redis.call('ZREM', KEYS[1], name) end
end
return kept`

/** Runs a script with a time limit. Its errors contain nothing that was sent. */
export type Evaluate = (script: string, keys: readonly string[], args: readonly string[]) => Promise<unknown>

/** @throws StorageError only. */
export const boundedEvaluate =
  ({ evaluate }: RedisCommands, clock: Clock): Evaluate =>
  async (script, keys, args) => {
    const trouble = (thrown?: unknown) => {
      const cause = thrown instanceof Error ? new Error(thrown.name) : undefined
      const [refusal] = /\b(NOAUTH|WRONGPASS|NOPERM|WRONGTYPE)\b/.exec(String(Object(thrown).message)) ?? []
      return refusal
        ? new StorageError(
            `Redis refuses this connection (${refusal}). Correct its user and password, and the commands and keys of that user.`,
            { cause, retryable: false },
          )
        : new StorageError(
            'Redis did not answer. Access tokens that are still valid go on working; try again later.',
            { cause },
          )
    }
    try {
      return await withTimeLimit(clock, COMMAND_MS, async () => evaluate(script, keys, args), trouble)
    } catch (error) {
      throw error instanceof StorageError ? error : trouble(error)
    }
  }

const textOf = (value: unknown): string => (value === null || value === undefined ? '' : String(value))

/** Parses a stored text. latchkey did not write a text that is not JSON, so that counts as missing. */
const parse = (text: string): unknown => {
  try {
    return text ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

export interface RedisKeyValueOptions {
  readonly evaluate: Evaluate
  /** The prefix of every key. Its hash tag keeps all keys on one node of a cluster. */
  readonly namespace: string
  readonly cipher: Cipher | undefined
  readonly ttlSeconds: number
}

/** A KeyValue in Redis or Valkey: every update is a compare-and-swap on the server. */
export function redisKeyValue({ evaluate, namespace, cipher, ttlSeconds }: RedisKeyValueOptions): KeyValue {
  const values = `${namespace}:value:`
  const names = `${namespace}:names`
  const decode = (name: string, text: string) => (cipher ? cipher.decrypt(name, parse(text)) : parse(text))
  const encode = (name: string, value: unknown) =>
    JSON.stringify(cipher ? cipher.encrypt(name, value) : value)
  const ttlOf = (name: string) => (isTransaction(name) ? TRANSACTION_MS : ttlSeconds * 1000)
  const read = async (name: string) => textOf(await evaluate(GET, [values + name], []))

  return {
    get: async name => decode(name, await read(name)),
    async update(name, change) {
      let found = await read(name)
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const value = decode(name, found)
        const next = change(value)
        if (next === value && (value !== undefined || !found)) return
        const text = next === undefined ? '' : encode(name, next)
        const args = [found, text, String(ttlOf(name)), name]
        const [isDone, now] = (await evaluate(COMPARE_AND_SWAP, [values + name, names], args)) as [
          unknown,
          unknown,
        ]
        if (Number(isDone) === 1) return
        found = textOf(now)
      }
      throw new StorageError('Other processes keep changing the same entry in Redis. Try again.')
    },
    async keys(prefix) {
      const found = (await evaluate(KEYS_BY_PREFIX, [names], [prefix, values])) as unknown[]
      return found.map(textOf)
    },
  }
}
