import { createClient } from 'latchkey'
import { optionsOf, toPeer } from '../latchkey-peer.ts'
import { openStartPage } from './start-page.ts'

openStartPage(config => toPeer(createClient(optionsOf(config))))
