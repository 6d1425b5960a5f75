/** What an answer may bring (RFC 6749 section 4.1.2, RFC 9207), and what nobody asked for but must not stay. */
const ANSWER =
  /^(code|state|iss|session_state|error|error_description|error_uri|scope|access_token|refresh_token|id_token|token_type|expires_in)(=|$)/

/** Marks the `state` of a sign-out, which comes back to the page after it (OpenID Connect RP-Initiated Logout section 3). */
export const SIGNED_OUT_PREFIX = 'lk-out.'

const withoutPairs = (part: string, pairs: RegExp) =>
  part
    .slice(1)
    .split('&')
    .filter(pair => !pairs.test(pair))
    .join('&')

/** The same address without what the authorization server put there; everything else stays as it is spelt. */
export function cleanUrl(address: URL): string {
  const url = new URL(address)
  url.search = withoutPairs(url.search, ANSWER)
  if (/[#&](access|id)_token=/.test(url.hash)) url.hash = withoutPairs(url.hash, ANSWER)
  return url.href
}

/** The same address without the `state` of a sign-out. */
export function cleanSignedOut(address: string): string {
  if (!address.includes(`state=${SIGNED_OUT_PREFIX}`)) return address
  const url = new URL(address)
  url.search = withoutPairs(url.search, /^state=lk-out\./)
  return url.href
}
