import { createHash } from 'node:crypto'
import type { Account } from 'oidc-provider'

/** Every name has an account. */
export interface Accounts {
  /** The account of that user name, created if it is new. */
  signIn(userName: string): Account
  find(accountId: string): Account
}

/** A subject must be ASCII (OpenID Connect Core section 2); a name need not be. */
const subjectOf = (userName: string) =>
  /^[\w. -]{1,64}$/.test(userName)
    ? userName.toLowerCase().replaceAll(' ', '-')
    : `u-${createHash('sha256').update(userName.toLowerCase()).digest('base64url').slice(0, 16)}`

export function createAccounts(): Accounts {
  const names = new Map<string, string>()
  const find = (accountId: string): Account => {
    const name = names.get(accountId) ?? accountId
    return { accountId, claims: async () => ({ sub: accountId, name, preferred_username: name }) }
  }
  return {
    find,
    signIn: userName => {
      const accountId = subjectOf(userName)
      names.set(accountId, userName)
      return find(accountId)
    },
  }
}
