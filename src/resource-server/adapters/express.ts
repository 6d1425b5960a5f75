import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy } from './guard.ts'
import { type NodeRequest, type NodeResponse, nodeGuard } from './node.ts'

/** A middleware of Express 4 and 5, and of whatever has the same shape. */
export interface ExpressGuard {
  (
    request: NodeRequest & { readonly originalUrl?: string },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ): void
  /** The verdict of a request that has passed this middleware. */
  callerOf(request: object): Granted
}

/**
 * A middleware for Express: `app.use(guard)`, or before the handler of one route.
 * @param requirements what its routes need beside a valid token.
 */
export function expressGuard(protect: Protect, requirements: Requirements = {}): ExpressGuard {
  const guard = nodeGuard(protect, requirements)
  const { pass, callerOf } = callersBy()
  const middleware = (
    request: NodeRequest & { readonly originalUrl?: string },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ): void => {
    // a router takes its own part off `url`, and proofs are for the whole
    const { method, headers, rawHeaders, socket, url, originalUrl = url } = request
    const whole = {
      method,
      headers,
      url: originalUrl,
      ...(rawHeaders && { rawHeaders }),
      ...(socket && { socket }),
    }
    guard(whole, response).then(caller => {
      if (!caller) return
      pass(request, caller)
      next()
    }, next)
  }
  return Object.assign(middleware, { callerOf })
}
