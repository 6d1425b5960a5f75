/** The keys of a client's records in its store: the client's prefix, then the kind of record. */

export const sessionKey = (prefix: string): string => `${prefix} session`
export const isSession = (key: string): boolean => key.endsWith(' session')

/** The prefix of the keys of all transactions. The `state` follows it. */
export const transactionPrefix = (prefix: string): string => `${prefix} transaction `
export const isTransaction = (key: string): boolean => key.includes(' transaction ')
