import type { Adapter, AdapterPayload } from 'oidc-provider'

interface Entry {
  readonly payload: AdapterPayload
  readonly expiresAt: number
}

/** The memory of one authorization server, lost when it stops. */
export interface ProviderMemory {
  /** The function that oidc-provider calls for each kind of record. */
  readonly adapter: (kind: string) => Adapter
  /** The identifiers of a user's records of that kind. Without `clientId`, those of all clients. */
  idsOf(kind: string, accountId: string, clientId?: string): string[]
}

/** Unlike oidc-provider's own memory, the servers of a test run do not share it. */
export function createProviderMemory(): ProviderMemory {
  const kinds = new Map<string, Map<string, Entry>>()

  const entriesOf = (kind: string) => {
    const entries = kinds.get(kind) ?? new Map<string, Entry>()
    kinds.set(kind, entries)
    return entries
  }

  const createAdapter = (kind: string): Adapter => {
    const entries = entriesOf(kind)
    const find = (id: string) => {
      const entry = entries.get(id)
      if (entry && entry.expiresAt <= Date.now()) entries.delete(id)
      return entries.get(id)?.payload
    }
    const findBy = (field: 'uid' | 'userCode', value: string) => {
      for (const [id, entry] of entries) if (entry.payload[field] === value) return find(id)
      return undefined
    }
    return {
      find: async id => find(id),
      findByUid: async uid => findBy('uid', uid),
      findByUserCode: async userCode => findBy('userCode', userCode),
      upsert: async (id, payload, expiresInSeconds) => {
        const expiresAt = expiresInSeconds ? Date.now() + expiresInSeconds * 1000 : Number.POSITIVE_INFINITY
        entries.set(id, { payload, expiresAt })
      },
      consume: async id => {
        const payload = find(id)
        if (payload) payload.consumed = Math.floor(Date.now() / 1000)
      },
      destroy: async id => {
        entries.delete(id)
      },
      revokeByGrantId: async grantId => {
        for (const [id, entry] of entries) if (entry.payload.grantId === grantId) entries.delete(id)
      },
    }
  }

  return {
    adapter: createAdapter,
    idsOf: (kind, accountId, clientId) =>
      [...entriesOf(kind)]
        .filter(([, { payload }]) => payload.accountId === accountId)
        .filter(([, { payload }]) => clientId === undefined || payload.clientId === clientId)
        .map(([id]) => id),
  }
}
