import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'

/** @returns the verdict if the request may pass; the response to a refused request or a metadata request (RFC 9728). */
export async function judge(
  protect: Protect,
  request: Request,
  requirements: Requirements,
): Promise<Granted | Response> {
  const document = protect.serveMetadata(request)
  if (document) return document
  const verdict = await protect(request, requirements)
  return verdict.valid ? verdict : verdict.response()
}

const NOT_GUARDED = 'This request has not passed this guard: put it before the handler.'

/** Remembers the verdicts of the requests that have passed. */
export function callersBy() {
  const callers = new WeakMap<object, Granted>()
  return {
    pass: (request: object, caller: Granted) => void callers.set(request, caller),
    /** @throws TypeError for a request that has not passed the guard. */
    callerOf(request: object): Granted {
      const caller = callers.get(request)
      if (!caller) throw new TypeError(NOT_GUARDED)
      return caller
    },
  }
}
