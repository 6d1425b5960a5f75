import { oidcClientTs } from '../peers/oidc-client-ts.ts'
import { openStartPage } from './start-page.ts'

openStartPage(oidcClientTs)
