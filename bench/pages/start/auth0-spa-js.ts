import { auth0SpaJs } from '../peers/auth0-spa-js.ts'
import { openStartPage } from './start-page.ts'

openStartPage(auth0SpaJs)
