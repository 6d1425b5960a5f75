// The package's main file warns about Node 20 on every import; the class itself runs there and lives one file deeper.
declare module 'oidc-provider/lib/provider.js' {
  export { default as Provider } from 'oidc-provider'
}
