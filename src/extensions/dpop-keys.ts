import type { ExtensionContext } from '../core/extension.ts'
import { isOfKind } from '../core/kind.ts'
import type { EpochMs, KeyValue } from '../core/ports.ts'

/** The stored key of a session: a non-extractable key pair or, if no store can hold one, a private JWK. */
interface KeptKey {
  readonly schema: 1
  readonly createdAt: EpochMs
  /** How far the server's clock was ahead at the last token response. */
  readonly aheadMs: number
  /** Whether the sign-in has not received tokens yet. */
  readonly isWaiting?: boolean
  readonly keyPair?: CryptoKeyPair
  readonly jwk?: JsonWebKey
}

/** A store for keys. It may differ from the client's own store. */
export interface KeyPlace extends KeyValue {
  close?(): void
}

export interface DpopKey {
  readonly keyPair: CryptoKeyPair
  readonly aheadMs: number
}

export interface DpopKeys {
  /** @throws StorageError if a store cannot be read. */
  find(sessionId: string): Promise<DpopKey | undefined>
  create(sessionId: string): Promise<DpopKey>
  /** Updates the stored key after a token request was granted or refused. Best effort. */
  used(sessionId: string, aheadMs: number, isGranted: boolean): Promise<void>
  /** Best effort. */
  destroy(sessionId: string): Promise<void>
}

/** A sign-in expires after an hour; the key of an abandoned one is then useless. */
const LIFETIME_MS = 3_600_000
/** The same number as that of pending sign-ins that latchkey keeps. */
const MOST_WAITING = 20

const isKept = (value: unknown): value is KeptKey => {
  const { schema, keyPair, jwk } = (value ?? {}) as Partial<KeptKey>
  return schema === 1 && (isOfKind(keyPair?.privateKey, 'CryptoKey') || typeof jwk?.kty === 'string')
}

/** The Web Crypto algorithm of a JWK. */
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
 * Stores one key pair for each session: in the client's own store if that can hold a non-extractable key (IndexedDB,
 * memory), otherwise in `elsewhere`. If neither can, as in Node with a private file, it stores a JWK in the client's store.
 */
export function createDpopKeys(
  {
    keyValue,
    prefix: client,
    clock,
    readSession,
  }: Pick<ExtensionContext, 'keyValue' | 'prefix' | 'clock' | 'readSession'>,
  elsewhere: KeyPlace | undefined,
  generate: (extractable: boolean) => Promise<CryptoKeyPair>,
): DpopKeys {
  const prefix = `${client} dpop `
  const places = elsewhere ? [keyValue, elsewhere] : [keyValue]

  const read = async (place: KeyValue, sessionId: string): Promise<KeptKey | undefined> => {
    const found = await place.get(prefix + sessionId)
    return isKept(found) ? found : undefined
  }
  const write = async (place: KeyValue, sessionId: string, key: object) => {
    const kept = { schema: 1, createdAt: clock.now(), aheadMs: 0, isWaiting: true, ...key }
    await place.update(prefix + sessionId, () => kept)
    return (await read(place, sessionId)) !== undefined
  }
  const remove = (place: KeyValue, sessionId: string) =>
    place.update(prefix + sessionId, () => undefined).catch(() => {})

  /** Removes the keys of abandoned sign-ins: expired ones, and the oldest if there are too many. */
  const sweep = async (place: KeyValue) => {
    const own = (await readSession())?.sessionId
    const names = await place.keys(prefix)
    const ids = names.map(key => key.slice(prefix.length)).filter(sessionId => sessionId !== own)
    const found = await Promise.all(
      ids.map(async sessionId => ({ sessionId, kept: await read(place, sessionId) })),
    )
    const waiting = found.filter(({ kept }) => kept?.isWaiting).sort((a, b) => ageOf(a) - ageOf(b))
    const tooMany = new Set(waiting.slice(MOST_WAITING - 1))
    const isOver = (one: (typeof found)[number]) =>
      tooMany.has(one) ||
      // the other store may contain keys of other tabs' sessions, which this tab cannot see
      ((place === keyValue || one.kept?.isWaiting) && ageOf(one) > LIFETIME_MS)
    await Promise.all(found.filter(isOver).map(({ sessionId }) => remove(place, sessionId)))
  }
  const ageOf = ({ kept }: { kept: KeptKey | undefined }) =>
    kept ? Math.abs(clock.now() - kept.createdAt) : Number.POSITIVE_INFINITY

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
      await Promise.all(places.map(place => sweep(place).catch(() => {})))
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

    async used(sessionId, aheadMs, isGranted) {
      for (const place of places) {
        const kept = await read(place, sessionId).catch(() => undefined)
        const needsUpdate =
          kept && ((isGranted && kept.isWaiting) || Math.abs(kept.aheadMs - aheadMs) >= 5000)
        if (!needsUpdate) continue
        await place
          .update(prefix + sessionId, stored =>
            isKept(stored)
              ? { ...stored, aheadMs, isWaiting: stored.isWaiting === true && !isGranted }
              : stored,
          )
          .catch(() => {})
      }
    },

    async destroy(sessionId) {
      for (const place of places) await remove(place, sessionId)
    },
  }
}
