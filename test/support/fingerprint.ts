import { createHash } from 'node:crypto'
import { BOUNDARY } from './recorded.ts'

/** A summary of a received body. */
export interface Fingerprint {
  readonly sha256: string
  readonly length: number
}

/** A body up to this size is kept in memory until its end. */
const KEPT = 8 * 1024 * 1024

/** Hashes a body in pieces. The hash of a multipart body that is kept in memory leaves out the boundary. */
export function createFingerprint() {
  const hash = createHash('sha256')
  let kept: Uint8Array[] | undefined = []
  let length = 0
  return {
    add(chunk: Uint8Array) {
      hash.update(chunk)
      length += chunk.byteLength
      if (length > KEPT) kept = undefined
      kept?.push(chunk)
    },
    end(): Fingerprint {
      const text = Buffer.concat(kept ?? []).toString('latin1')
      const [boundary] = text.startsWith('--') ? (BOUNDARY.exec(text.slice(2, 100)) ?? []) : []
      if (!boundary) return { sha256: hash.digest('hex'), length }
      const hidden = text.replaceAll(boundary, 'BOUNDARY')
      return { sha256: createHash('sha256').update(hidden, 'latin1').digest('hex'), length }
    },
  }
}

/** Hashes a complete body. */
export function fingerprint(bytes: Uint8Array): Fingerprint {
  const print = createFingerprint()
  print.add(bytes)
  return print.end()
}
