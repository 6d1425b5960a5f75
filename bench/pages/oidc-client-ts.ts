import { oidcClientTs } from './peers/oidc-client-ts.ts'
import { openStormPage } from './storm-page.ts'

openStormPage(oidcClientTs)
