import type { CapabilityContext, Extension, Extensions } from '../core/extension.ts'

/** Joins extensions in their order. Only one may push the request, and one say what access tokens are. */
export function joinExtensions(extensions: readonly Extension[], context: CapabilityContext): Extensions {
  const all = extensions.map(extend => extend(context))
  const { tokenType, presentation } = all.find(one => one.tokenType) ?? {}
  return {
    async authorizationRequest(request) {
      for (const one of all) await one.authorizationRequest?.(request)
    },
    pushRequest: all.find(one => one.pushRequest)?.pushRequest,
    tokenRequest: (sessionId, send) =>
      all.reduce<typeof send>(
        (inner, one) => options =>
          one.tokenRequest
            ? one.tokenRequest(sessionId, more => inner({ ...options, ...more }))
            : inner(options),
        send,
      )({}),
    async tokenResponse(sessionId, response) {
      for (const one of all) await one.tokenResponse?.(sessionId, response)
    },
    tokenType,
    presentation,
    ended(sessionId) {
      for (const one of all) one.ended?.(sessionId)
    },
    close() {
      for (const one of all) one.close?.()
    },
  }
}
