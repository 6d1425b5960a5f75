import { auth0SpaJs } from './peers/auth0-spa-js.ts'
import { openStormPage } from './storm-page.ts'

openStormPage(auth0SpaJs)
