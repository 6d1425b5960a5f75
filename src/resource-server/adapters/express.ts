import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
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

const NOT_GUARDED = 'This request has not passed this guard: put it before the handler.'

/** @throws Error for a request that the guard has not let pass. */
export function callersBy() {
  const callers = new WeakMap<object, Granted>()
  return {
    pass: (request: object, caller: Granted) => void callers.set(request, caller),
    callerOf(request: object): Granted {
      const caller = callers.get(request)
      if (!caller) throw new TypeError(NOT_GUARDED)
      return caller
    },
  }
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
