import { createClient } from 'latchkey'
import { worker } from 'latchkey/worker'
import { optionsOf, toPeer } from '../latchkey-peer.ts'
import { openStartPage } from './start-page.ts'

openStartPage(config => toPeer(createClient({ ...optionsOf(config), host: worker('/latchkey-worker.js') })))
