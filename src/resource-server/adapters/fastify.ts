import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { callersBy } from './guard.ts'
import { judgeNode, type NodeRequest, putHeaders } from './node.ts'

interface FastifyReply {
  code(status: number): unknown
  header(name: string, value: string): unknown
  getHeader(name: string): unknown
  send(body?: string): unknown
}

/** A hook for Fastify: `onRequest` or `preHandler`. */
export interface FastifyGuard {
  (request: { readonly raw: NodeRequest }, reply: FastifyReply): Promise<unknown>
  /** Returns the verdict of a request that has passed this hook. @throws TypeError for any other request. */
  callerOf(request: object): Granted
}

/**
 * Creates a hook for Fastify: `fastify.addHook('onRequest', guard)`, or `{ onRequest: guard }` for one route.
 * @param requirements what its routes require beyond a valid token.
 */
export function fastifyGuard(protect: Protect, requirements: Requirements = {}): FastifyGuard {
  const { pass, callerOf } = callersBy()
  const hook = async (request: { readonly raw: NodeRequest }, reply: FastifyReply): Promise<unknown> => {
    const headers = { getHeader: reply.getHeader.bind(reply), setHeader: reply.header.bind(reply) }
    const caller = await judgeNode(protect, request.raw, requirements)
    putHeaders(headers, caller instanceof Response ? Object.fromEntries(caller.headers) : caller.headers)
    if (!(caller instanceof Response)) return pass(request, caller)
    reply.code(caller.status)
    return reply.send(await caller.text())
  }
  return Object.assign(hook, { callerOf })
}
