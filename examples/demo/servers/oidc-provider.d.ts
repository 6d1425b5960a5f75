// The package's main file warns about Node 20 on every import; what is used runs there and lives one file deeper.
declare module 'oidc-provider/lib/provider.js' {
  export { default as Provider } from 'oidc-provider'
}
declare module 'oidc-provider/lib/helpers/errors.js' {
  export const InvalidTarget: typeof import('oidc-provider').errors.InvalidTarget
}

declare module 'oidc-provider/lib/helpers/initialize_keystore.js' {
  /** Gives a provider other keys than it was made with. */
  export default function initializeKeyStore(this: object, jwks: { keys: object[] }): void
}
