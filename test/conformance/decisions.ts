/**
 * Rows of cases.md that latchkey decides against, or that lie outside of what it does: each says why. A row that a test
 * names has no place here.
 */
export const decisions: Readonly<Record<string, string>> = {
  ...of(
    'The authorization code is the only grant of this version: there is nothing that polls.',
    'GR01 GR02 GR04 GR05 RA07',
  ),
  GR06: 'The device grant is not in this version: no verification_uri is ever shown.',
  GR07: 'Client credentials are not in this version.',
  ...of('Token exchange is not in this version.', 'GR08 GR09'),
  GR11: 'There is no password grant, in the code or in the documentation.',
  RQ07: 'A redirect is followed as fetch does, because client.fetch is fetch; https to http is another origin, at which the access token never arrives (RQ05).',
  ST08: 'A service worker that holds the tokens is not in this version; where injected script may use them is said in docs/security.md.',
  ST09: 'A client whose tokens stay behind a backend is not in this version.',
}

/** Rows that have neither yet. The list only shrinks. */
export const notYet: readonly string[] = []

function of(why: string, ids: string): Readonly<Record<string, string>> {
  return Object.fromEntries(ids.split(' ').map(id => [id, why]))
}
