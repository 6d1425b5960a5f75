import type { CapabilityContext } from '../core/capability.ts'
import type { EpochMs, KeyValue } from '../core/ports.ts'

/** What is kept for a session: a key that cannot be exported or, where no place can hold such a one, its JWK. */
interface KeptKey {
  readonly schema: 1
  readonly createdAt: EpochMs
  /** How far the server's clock was ahead when it was last told. */
  readonly aheadMs: number
  readonly keyPair?: CryptoKeyPair
  readonly jwk?: JsonWebKey
}

export interface DpopKey {
  readonly keyPair: CryptoKeyPair
  readonly aheadMs: number
}

export interface DpopKeys {
  /** @throws StorageError where it cannot be told whether there is one. */
  find(sessionId: string): Promise<DpopKey | undefined>
  create(sessionId: string): Promise<DpopKey>
  /** Best effort. */
  setAhead(sessionId: string, aheadMs: number): Promise<void>
  /** Best effort. */
  destroy(sessionId: string): Promise<void>
}

/** A sign-in lives for an hour; the key of one that was given up is of no use after that. */
const LIFETIME_MS = 3_600_000

const isKey = (value: unknown) => Object.prototype.toString.call(value) === '[object CryptoKey]'

const isKept = (value: unknown): value is KeptKey => {
  const { schema, keyPair, jwk } = (value ?? {}) as Partial<KeptKey>
  return schema === 1 && (isKey(keyPair?.privateKey) || typeof jwk?.kty === 'string')
}

/** What a key of this form is for Web Crypto. */
const algorithmOf = ({ kty, crv, alg }: JsonWebKey) =>
  kty === 'EC'
    ? { name: 'ECDSA', namedCurve: crv as string }
    : kty === 'OKP'
      ? { name: 'Ed25519' }
      : { name: alg?.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

const fromJwk = async (jwk: JsonWebKey): Promise<CryptoKeyPair> => {
  const { kty, crv, x, y, n, e, alg } = jwk
  const algorithm = algorithmOf(jwk)
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']),
    crypto.subtle.importKey('jwk', { kty, crv, x, y, n, e, alg }, algorithm, true, ['verify']),
  ])
  return { privateKey, publicKey }
}

/**
 * A key pair for each session. It is kept in the client's own store where that can hold a key which cannot be exported
 * (IndexedDB, memory), else in `elsewhere`; where there is no such place (a private file), as a JWK in the client's store.
 */
export function createDpopKeys(
  { keyValue, name, clock, readSession }: CapabilityContext,
  elsewhere: KeyValue | undefined,
  generate: (extractable: boolean) => Promise<CryptoKeyPair>,
): DpopKeys {
  const prefix = `${name} dpop `
  const places = elsewhere ? [keyValue, elsewhere] : [keyValue]

  const read = async (place: KeyValue, sessionId: string): Promise<KeptKey | undefined> => {
    const found = await place.get(prefix + sessionId)
    return isKept(found) ? found : undefined
  }
  const write = async (place: KeyValue, sessionId: string, key: object) => {
    const kept = { schema: 1, createdAt: clock.now(), aheadMs: 0, ...key }
    await place.update(prefix + sessionId, () => kept)
    return (await read(place, sessionId)) !== undefined
  }
  const remove = (place: KeyValue, sessionId: string) =>
    place.update(prefix + sessionId, () => undefined).catch(() => {})

  /** Keys of sign-ins that were given up. */
  const sweep = async () => {
    const own = (await readSession())?.sessionId
    for (const key of await keyValue.keys(prefix)) {
      const sessionId = key.slice(prefix.length)
      const kept = await read(keyValue, sessionId)
      const isOld = !kept || Math.abs(clock.now() - kept.createdAt) > LIFETIME_MS
      if (isOld && sessionId !== own) await remove(keyValue, sessionId)
    }
  }

  return {
    async find(sessionId) {
      for (const place of places) {
        const { keyPair, jwk, aheadMs = 0 } = (await read(place, sessionId)) ?? {}
        if (keyPair) return { keyPair, aheadMs }
        if (jwk) return { keyPair: await fromJwk(jwk), aheadMs }
      }
      return undefined
    },

    async create(sessionId) {
      await sweep().catch(() => {})
      const keyPair = await generate(false)
      for (const place of places) {
        if (await write(place, sessionId, { keyPair })) return { keyPair, aheadMs: 0 }
        await remove(place, sessionId)
      }
      const extractable = await generate(true)
      const jwk = await crypto.subtle.exportKey('jwk', extractable.privateKey)
      await write(keyValue, sessionId, { jwk })
      return { keyPair: await fromJwk(jwk), aheadMs: 0 }
    },

    async setAhead(sessionId, aheadMs) {
      for (const place of places) {
        const kept = await read(place, sessionId).catch(() => undefined)
        if (!kept || Math.abs(kept.aheadMs - aheadMs) < 5000) continue
        await place
          .update(prefix + sessionId, stored => (isKept(stored) ? { ...stored, aheadMs } : stored))
          .catch(() => {})
      }
    },

    async destroy(sessionId) {
      for (const place of places) await remove(place, sessionId)
    },
  }
}
