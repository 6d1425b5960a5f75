import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy } from './guard.ts'
import { type NodeRequest, type NodeResponse, nodeGuard } from './node.ts'

/** A middleware for Express 4 and 5, and for other frameworks with the same signature. */
export interface ExpressGuard {
  (
    request: NodeRequest & { readonly originalUrl?: string },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ): void
  /** Returns the verdict of a request that has passed this middleware. @throws TypeError for any other request. */
  callerOf(request: object): Granted
}

/**
 * Creates a middleware for Express: `app.use(guard)`, or before the handler of one route.
 * @param requirements what its routes require beyond a valid token.
 */
export function expressGuard(protect: Protect, requirements: Requirements = {}): ExpressGuard {
  const guard = nodeGuard(protect, requirements)
  const { pass, callerOf } = callersBy()
  const middleware = (
    request: NodeRequest & { readonly originalUrl?: string },
    response: NodeResponse,
    next: (error?: unknown) => void,
  ): void => {
    // a router removes its mount path from `url`, but a proof is for the whole URL
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
