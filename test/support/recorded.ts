/** One received request. The boundary of a multipart body is replaced with BOUNDARY. */
export interface Recorded {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** In their order, names in lower case; the same name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly sha256: string
  readonly length: number
}

export const authorizationOf = ({ headers }: Recorded): string[] =>
  headers.filter(([name]) => name === 'authorization').map(([, value]) => value)

/** The boundary of FormData, which is random for every send but always has the same length. */
export const BOUNDARY = /-*(?:formdata-undici-\d+|WebKitFormBoundary\w+)/

export const hideBoundary = (text: string): string => text.replace(BOUNDARY, 'BOUNDARY')
