import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'

/** Encodes a value of ASN.1 in DER. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}

const [INTEGER, BIT_STRING, OID, UTF8, UTC_TIME, SEQUENCE, SET] = [0x02, 0x03, 0x06, 0x0c, 0x17, 0x30, 0x31]
const ECDSA_WITH_SHA256 = der(SEQUENCE, der(OID, Buffer.from('2a8648ce3d040302', 'hex')))
const COMMON_NAME = der(OID, Buffer.from('550403', 'hex'))

/** Creates a self-signed certificate and its private key (RFC 8705 section 2.2). */
export function selfSigned(commonName: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(commonName)))))
  const years = ['200101000000Z', '491231235959Z'].map(at => der(UTC_TIME, Buffer.from(at)))
  const key = publicKey.export({ type: 'spki', format: 'der' })
  const serial = der(INTEGER, Buffer.from([1]))
  const content = der(SEQUENCE, serial, ECDSA_WITH_SHA256, name, der(SEQUENCE, ...years), name, key)
  const signature = der(BIT_STRING, Buffer.from([0]), sign('sha256', content, privateKey))
  const raw = der(SEQUENCE, content, ECDSA_WITH_SHA256, signature)
  return {
    cert: new X509Certificate(raw).toString(),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    /** The value of `x5t#S256` (RFC 8705 section 3.1). */
    thumbprint: createHash('sha256').update(raw).digest('base64url'),
  }
}
