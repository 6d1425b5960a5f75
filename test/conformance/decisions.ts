/**
 * Rows of cases.md that latchkey decides against, or that are outside its scope, each with the reason. A row that a test
 * names does not belong here.
 */
export const decisions: Readonly<Record<string, string>> = {
  PX05: 'Request objects (JAR) are not in this version: a pushed request (latchkey/par) has the same integrity and confidentiality.',
  PX10: 'Dynamic registration is not in this version: an app registers before there is a client, and hands in what came of it.',
  PX11: 'Client ID metadata documents are a draft: a client_id is sent as the app gives it, because registered ones may be URLs too.',
  TR16: 'A lifetime of 0 is none: some servers mean by it that the token does not expire. The token is used until a 401, which leads to one refresh; there is no loop (test/scenarios/clock-and-lifetime.test.ts).',
  ID17: 'The hybrid flow is not supported: no ID Token ever comes with the code.',
  ...of(
    'Nothing is discovered from what an API says (protected resource metadata, RFC 9728): APIs and issuers are named by the app alone, so no answer of an API can lead to another server.',
    'DM11 DM12 DM13 DM14',
  ),
  RQ07: 'A redirect is followed as fetch does, because client.fetch is fetch; https to http is another origin, at which the access token never arrives (RQ05).',
  RQ24: 'client.fetch is fetch: what is cached is for the API and the page to say. docs/apis.md tells to send no-store or Vary.',
  RS23: 'Never asked for: an app cannot set response_mode or response_type, and the parameter "response" is not read. An answer is protected by state, iss and PKCE.',
  LO05: 'Only resource servers introspect (RFC 7662 section 2), with credentials of their own; latchkey is the client.',
  LO11: 'It needs a hidden iframe of the provider that sees third-party cookies, which browsers block. No frame is ever made: the next refresh, front-channel and back-channel logout tell instead.',
  'F7.4':
    'The 500 ms delay only the end of a session that the server has refused already. They are the last protection where a lock fails: a lease that ran out, a holder that slept, a store of the app whose lock is not one.',
  ST08: 'A service worker that holds the tokens is not in this version; where injected script may use them is said in docs/security.md.',
  ST09: 'A client whose tokens stay behind a backend is not in this version.',
}

/** Rows without a test or a decision yet. The list only shrinks. */
export const notYet: readonly string[] = []

function of(why: string, ids: string): Readonly<Record<string, string>> {
  return Object.fromEntries(ids.split(' ').map(id => [id, why]))
}
