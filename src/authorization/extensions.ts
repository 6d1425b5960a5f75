import type { ExtensionHooks } from '../core/extension.ts'

/** All extensions of a client, joined into one. */
export interface JoinedExtensions
  extends Required<
    Pick<ExtensionHooks, 'authorizationRequest' | 'tokenRequest' | 'tokenResponse' | 'ended'>
  > {
  readonly pushRequest: ExtensionHooks['pushRequest']
  readonly tokenType: ExtensionHooks['tokenType']
  /** Changes the members of a token response before latchkey reads them. `undefined` if no extension does that. */
  readonly tokenAnswer: ExtensionHooks['tokenAnswer']
  /** Called with each response of the token endpoint. */
  answered(url: string, answer: Response): void
}

/** Joins extensions in their order. Only one can push the request, and only one can set the type of access tokens. */
export function joinExtensions(all: readonly ExtensionHooks[]): JoinedExtensions {
  const { tokenType, presentation } = all.find(one => one.tokenType) ?? {}
  const respell = all.flatMap(one => one.tokenAnswer ?? [])
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
    tokenAnswer: respell.length
      ? members => respell.reduce((changed, change) => change(changed), members)
      : undefined,
    answered: (url, answer) => void presentation?.answered(url, answer),
    ended(sessionId) {
      for (const one of all) one.ended?.(sessionId)
    },
  }
}
