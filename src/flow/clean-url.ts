/** What an answer may bring (RFC 6749 section 4.1.2, RFC 9207), and what nobody asked for but must not stay. */
const ANSWER =
  /^(code|state|iss|session_state|error|error_description|error_uri|scope|access_token|refresh_token|id_token|token_type|expires_in)(=|$)/

/** The same address without what the authorization server put there; everything else stays as it is spelt. */
export function cleanUrl(address: URL): string {
  const url = new URL(address)
  const keep = (part: string) =>
    part
      .slice(1)
      .split('&')
      .filter(pair => !ANSWER.test(pair))
      .join('&')
  url.search = keep(url.search)
  if (/[#&](access|id)_token=/.test(url.hash)) url.hash = keep(url.hash)
  return url.href
}
