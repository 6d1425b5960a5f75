// The package's main file warns about Node 20 on every import; the part used here runs there and is one file deeper.
declare module 'oidc-provider/lib/provider.js' {
  export { default as Provider } from 'oidc-provider'
}
declare module 'oidc-provider/lib/helpers/errors.js' {
  export const { InvalidRequest, InvalidScope, InvalidTarget }: typeof import('oidc-provider').errors
}

declare module 'oidc-provider/lib/helpers/initialize_keystore.js' {
  /** Replaces a provider's keys. */
  export default function initializeKeyStore(this: object, jwks: { keys: object[] }): void
}
