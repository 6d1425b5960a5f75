export type { ClientOptions } from './options.ts'
export { type AppleOptions, apple, appleCallbackUrl } from './providers/apple.ts'
export { type Auth0Options, auth0 } from './providers/auth0.ts'
export { type CognitoOptions, cognito, cognitoLogoutUrl } from './providers/cognito.ts'
export type { IssuerOptions, ProviderOptions, SecretOptions, ServerOptions } from './providers/common.ts'
export { discord } from './providers/discord.ts'
export { type EntraOptions, entra } from './providers/entra.ts'
export {
  anonymously,
  type FirebaseClientOptions,
  type FirebaseOptions,
  firebase,
  withCustomToken,
  withIdentityProvider,
  withNewUser,
  withPassword,
} from './providers/firebase.ts'
export { type GitHubOptions, github } from './providers/github.ts'
export { type GoogleOptions, google } from './providers/google.ts'
export { type KeycloakOptions, keycloak } from './providers/keycloak.ts'
export { type OktaOptions, okta } from './providers/okta.ts'
export { type SlackOptions, slack } from './providers/slack.ts'
export { readSpotifyError, type SpotifyError, spotify } from './providers/spotify.ts'
