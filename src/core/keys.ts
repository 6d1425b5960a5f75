/** The keys of a client's records in its store: its prefix, and what the record is. */

export const sessionKey = (prefix: string): string => `${prefix} session`
export const isSession = (key: string): boolean => key.endsWith(' session')

/** What the key of every transaction begins with; its `state` follows. */
export const transactionPrefix = (prefix: string): string => `${prefix} transaction `
export const isTransaction = (key: string): boolean => key.includes(' transaction ')
