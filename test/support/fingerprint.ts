import { createHash } from 'node:crypto'
import { BOUNDARY } from './recorded.ts'

/** What arrived as a body, in short. */
export interface Fingerprint {
  readonly sha256: string
  readonly length: number
}

/** A body up to this long is kept whole until it has been looked at. */
const KEPT = 8 * 1024 * 1024

/** Takes a body in pieces; of a multipart one that can be kept, the boundary is left out of the hash. */
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

/** The same of a body that is at hand. */
export function fingerprint(bytes: Uint8Array): Fingerprint {
  const print = createFingerprint()
  print.add(bytes)
  return print.end()
}
