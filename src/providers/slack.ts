import type { Members } from '../core/members.ts'
import {
  type ProviderOptions,
  type SecretOptions,
  type ServerOptions,
  withSecret,
  withSpaces,
} from './common.ts'

export interface SlackOptions extends ProviderOptions, SecretOptions {
  /** User scopes, such as `chat:write`: the app may do these things as the user. One string or a list. */
  userScope?: string | readonly string[]
}

/**
 * Converts a response of Slack to a token response. Slack names its token types `bot` and `user`, and reports an error as
 * `ok: false` with status 200. A user's token is nested in `authed_user` at sign-in, but at the top level at a refresh.
 */
function toTokenAnswer(members: Members, isUser: boolean): Members {
  if (members.ok === false) {
    const { error = 'refused' } = members
    return { error }
  }
  const { authed_user: user } = members
  const isNested = isUser && typeof user === 'object' && user !== null && 'access_token' in user
  const own: Members = isNested ? { ...(user as Members) } : members
  // the bot's token is not the user's
  const isOther = isUser && own.token_type === 'bot'
  if (isOther) return { ...own, access_token: undefined, refresh_token: undefined }
  return 'access_token' in own ? withSpaces({ ...own, token_type: 'Bearer' }) : members
}

/**
 * Slack's OAuth v2. With `userScope` the session has the user's token, otherwise the bot's. Tokens expire only if token
 * rotation is on for the app; then each refresh token works once.
 * @param options `scope`: the bot's scopes, default none.
 * @returns options to spread into those of `createClient()`.
 */
export function slack({
  clientId,
  clientSecret,
  scope = '',
  userScope,
  authorizationParameters,
}: SlackOptions): ServerOptions {
  const isUser = userScope !== undefined
  return {
    server: {
      issuer: 'https://slack.com',
      authorization_endpoint: 'https://slack.com/oauth/v2/authorize',
      token_endpoint: 'https://slack.com/api/oauth.v2.access',
    },
    clientId,
    scope,
    authorizationParameters: {
      ...(isUser && { user_scope: [userScope].flat().join(',') }),
      ...authorizationParameters,
    },
    ...withSecret(clientSecret),
    provider: () => ({
      async authorizationRequest({ parameters }) {
        const bot = parameters.get('scope')
        if (bot) parameters.set('scope', bot.replaceAll(' ', ','))
      },
      tokenAnswer: members => toTokenAnswer(members, isUser),
    }),
  }
}
