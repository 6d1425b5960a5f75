import { digestOf } from './jwt.ts'

/** PEM, the same with percent signs (nginx), a byte sequence of RFC 9440, or bare base64. */
function toDer(certificate: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const text = certificate.includes('%') ? decodeURIComponent(certificate) : certificate
    const [, framed = text] = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(text) ?? []
    const base64 = framed.replace(/\s/g, '').replace(/^:(.*):$/, '$1')
    return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))
  } catch {
    return undefined
  }
}

/**
 * Whether a certificate is the one that a token is bound to (RFC 8705 section 3.1).
 * @param thumbprint `x5t#S256` of the token.
 * @param certificate of the connection, if there is one.
 */
export async function isBoundToCertificate(
  thumbprint: unknown,
  certificate: Uint8Array | string | undefined,
): Promise<boolean> {
  if (certificate === undefined) return false
  const der = typeof certificate === 'string' ? toDer(certificate) : Uint8Array.from(certificate)
  return der !== undefined && der.length > 0 && (await digestOf(der)) === thumbprint
}
