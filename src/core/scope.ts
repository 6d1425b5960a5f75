/** The scopes that were granted without being asked for (RFC 6749 section 3.3), joined by spaces. */
export function unasked(granted: string | undefined, asked: string): string {
  const known = asked.split(' ')
  const more = granted?.split(' ').filter(name => name && !known.includes(name)) ?? []
  return asked ? more.join(' ') : ''
}
