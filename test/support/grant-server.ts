import { errors } from 'oidc-provider'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../examples/demo/servers/authorization-server.ts'
import { demoCli } from '../../examples/demo/servers/demo-clients.ts'

export const CLI = 'grants-cli'
export const SERVICE = 'grants-service'
export const SERVICE_SECRET = 'a secret that only the service and the server know'
export const NOTES = 'urn:notes'

/** A real oidc-provider with device grant, CIBA and client credentials, and the actions of its users. */
export interface GrantServer extends AuthorizationServer {
  /** The forms that the token endpoint has received. */
  readonly tokenRequests: readonly URLSearchParams[]
  /** The user opens the address with the code in it, signs in and agrees. */
  agree(verificationUriComplete: string, userName: string): Promise<void>
  /** The user refuses the sign-in with this code. */
  refuse(userCode: string): Promise<void>
  /** The user's answer on the other device to a CIBA request. Default: agrees. */
  decide: (user: string) => 'agree' | 'refuse' | 'wait'
}

export async function startGrantServer(options: { accessTokenSeconds?: number } = {}): Promise<GrantServer> {
  const tokenRequests: URLSearchParams[] = []
  const own = { decide: (_user: string): 'agree' | 'refuse' | 'wait' => 'agree' }
  const server: AuthorizationServer = await startAuthorizationServer({
    accessTokenSeconds: options.accessTokenSeconds ?? 3600,
    resources: [NOTES],
    clients: [
      {
        ...demoCli,
        client_id: CLI,
        grant_types: [
          'authorization_code',
          'refresh_token',
          'urn:ietf:params:oauth:grant-type:device_code',
          'urn:openid:params:grant-type:ciba',
        ],
        backchannel_token_delivery_mode: 'poll',
      },
      { ...demoCli, client_id: 'grants-code-only' },
      {
        client_id: SERVICE,
        client_secret: SERVICE_SECRET,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        scope: 'notes:read notes:write',
      },
    ],
    configure: configuration => ({
      ...configuration,
      features: {
        ...configuration.features,
        clientCredentials: { enabled: true },
        deviceFlow: { enabled: true },
        ciba: {
          enabled: true,
          deliveryModes: ['poll'],
          processLoginHint: async (_ctx: unknown, hint: string) => hint,
          processLoginHintToken: async () => undefined,
          verifyUserCode: async () => {},
          validateRequestContext: async () => {},
          validateBindingMessage: async () => {},
          async triggerAuthenticationDevice(
            _ctx: unknown,
            request: { jti: string; accountId: string; clientId: string },
          ) {
            const { provider } = server
            const decision = own.decide(request.accountId)
            if (decision === 'wait') return
            if (decision === 'refuse') {
              await provider.backchannelResult(request.jti, new errors.AccessDenied() as never)
              return
            }
            const grant = new provider.Grant({ accountId: request.accountId, clientId: request.clientId })
            grant.addOIDCScope('openid profile offline_access notes:read')
            await provider.backchannelResult(request.jti, await grant.save())
          },
        } as never,
      },
    }),
    async before(request) {
      if (request.method !== 'POST' || !request.url?.startsWith('/token')) return false
      const chunks: Buffer[] = []
      const push = request.push.bind(request)
      request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
        if (chunk) chunks.push(Buffer.from(chunk))
        else tokenRequests.push(new URLSearchParams(Buffer.concat(chunks).toString()))
        return push(chunk, encoding)
      }
      return false
    },
  })
  return Object.assign(own, server, {
    tokenRequests,
    agree: (url: string, userName: string) => createScriptedUserAgent({ userName })(url),
    async refuse(userCode: string) {
      const code = await server.provider.DeviceCode.findByUserCode(userCode.replaceAll('-', ''), {
        ignoreExpiration: true,
      })
      Object.assign(code as object, { error: 'access_denied' })
      await code?.save()
    },
  })
}
