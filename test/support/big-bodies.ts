import { createHash } from 'node:crypto'

export const MB = 1024 * 1024
const CHUNK = 64 * 1024

/** Bytes without repetition. The same seed gives the same bytes. */
export function bytesFrom(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed | 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** A stream of `length` bytes, created on demand. After its end, `sha256` returns their hash. */
export function streamOf(length: number, made: (soFar: number) => unknown = () => {}) {
  const hash = createHash('sha256')
  let soFar = 0
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (soFar === length) return controller.close()
      const chunk = bytesFrom(soFar + 1, Math.min(CHUNK, length - soFar))
      hash.update(chunk)
      soFar += chunk.byteLength
      await made(soFar)
      controller.enqueue(chunk)
    },
  })
  return { stream, sha256: () => hash.digest('hex') }
}

/** The options that Node's fetch requires for a stream as body. */
export const streamed = (
  stream: ReadableStream,
  rest: RequestInit = {},
): RequestInit & { duplex: 'half' } => ({
  method: 'POST',
  body: stream,
  duplex: 'half',
  ...rest,
})
