/** So much of a server's text is told of. */
const MOST = 200

/** The scopes that were granted without being asked for (RFC 6749 section 3.3), joined by spaces, and cut. */
export function unasked(granted: string | undefined, asked: string): string {
  const known = new Set(asked.split(' '))
  const more = granted?.split(' ').filter(name => name && !known.has(name)) ?? []
  return asked ? more.join(' ').slice(0, MOST) : ''
}
