import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy, judge } from './guard.ts'
import { withCertificate } from './node.ts'

interface HonoContext {
  readonly req: { readonly raw: Request }
  readonly res: { readonly headers: Headers }
  readonly env?: unknown
}

/** The environment of a handler if `@hono/node-server` runs the app. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: object }
}

/** A middleware for Hono. */
export interface HonoGuard {
  (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined>
  /** Returns the verdict of a request that has passed this middleware, by its context. @throws TypeError for any other. */
  callerOf(context: object): Granted
}

/**
 * Creates a middleware for Hono: `app.use('/notes/*', guard)`.
 * @param requirements what its routes require beyond a valid token.
 */
export function honoGuard(protect: Protect, requirements: Requirements = {}): HonoGuard {
  const { pass, callerOf } = callersBy()
  const middleware = async (
    context: HonoContext,
    next: () => Promise<void>,
  ): Promise<Response | undefined> => {
    const { socket } = (context.env as NodeBindings | undefined)?.incoming ?? {}
    const caller = await judge(protect, context.req.raw, withCertificate(socket, requirements))
    if (caller instanceof Response) return caller
    pass(context, caller)
    await next()
    for (const [name, value] of Object.entries(caller.headers)) context.res.headers.append(name, value)
    return undefined
  }
  return Object.assign(middleware, { callerOf })
}
