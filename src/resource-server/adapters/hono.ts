import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy } from './express.ts'

interface HonoContext {
  readonly req: { readonly raw: Request }
  readonly res: { readonly headers: Headers }
}

/** A middleware of Hono. */
export interface HonoGuard {
  (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined>
  /** The verdict of a request that has passed this middleware, by its context. */
  callerOf(context: object): Granted
}

/**
 * A middleware for Hono: `app.use('/notes/*', guard)`.
 * @param requirements what its routes need beside a valid token.
 */
export function honoGuard(protect: Protect, requirements: Requirements = {}): HonoGuard {
  const { pass, callerOf } = callersBy()
  const middleware = async (
    context: HonoContext,
    next: () => Promise<void>,
  ): Promise<Response | undefined> => {
    const { raw } = context.req
    const verdict = protect.serveMetadata(raw) ?? (await protect(raw, requirements))
    if (verdict instanceof Response) return verdict
    if (!verdict.valid) return verdict.response()
    pass(context, verdict)
    await next()
    for (const [name, value] of Object.entries(verdict.headers)) context.res.headers.append(name, value)
    return undefined
  }
  return Object.assign(middleware, { callerOf })
}
