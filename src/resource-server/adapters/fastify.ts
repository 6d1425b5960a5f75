import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy } from './express.ts'
import { certificateOf, type NodeRequest, putHeaders, toWebRequest } from './node.ts'

interface FastifyReply {
  code(status: number): unknown
  header(name: string, value: string): unknown
  getHeader(name: string): unknown
  send(body?: string): unknown
}

/** A hook of Fastify: `onRequest` or `preHandler`. */
export interface FastifyGuard {
  (request: { readonly raw: NodeRequest }, reply: FastifyReply): Promise<unknown>
  /** The verdict of a request that has passed this hook. */
  callerOf(request: object): Granted
}

/**
 * A hook for Fastify: `fastify.addHook('onRequest', guard)`, or `{ onRequest: guard }` of one route.
 * @param requirements what its routes need beside a valid token.
 */
export function fastifyGuard(protect: Protect, requirements: Requirements = {}): FastifyGuard {
  const { pass, callerOf } = callersBy()
  const hook = async (request: { readonly raw: NodeRequest }, reply: FastifyReply): Promise<unknown> => {
    const asked = toWebRequest(request.raw)
    const headers = { getHeader: reply.getHeader.bind(reply), setHeader: reply.header.bind(reply) }
    const verdict =
      protect.serveMetadata(asked) ??
      (await protect(asked, { ...requirements, ...certificateOf(request.raw) }))
    if ('valid' in verdict && verdict.valid) {
      putHeaders(headers, verdict.headers)
      return pass(request, verdict)
    }
    const answer = verdict instanceof Response ? verdict : verdict.response()
    reply.code(answer.status)
    putHeaders(headers, Object.fromEntries(answer.headers))
    return reply.send(await answer.text())
  }
  return Object.assign(hook, { callerOf })
}
