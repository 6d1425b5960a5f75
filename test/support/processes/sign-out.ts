import { type ClientOptions, createClient, memory } from '../../../src/node.ts'
import { deviceClock } from '../../../src/platform/device.ts'
import { handledFetch } from '../handled-fetch.ts'
import { signingKey } from '../signing-key.ts'
import { createStrictAs } from '../strict-as.ts'
import { agreeable } from '../world.ts'

// A command-line tool with a signed-in user, who signs out with these options.
const [choice = '{}', options = '{}'] = process.argv.slice(2)
const as = createStrictAs({ clock: deviceClock, key: signingKey() })
Object.assign(as.metadata, { end_session_endpoint: `${as.issuer}/logout` })
const client = createClient({
  issuer: as.issuer,
  clientId: as.clientId,
  redirectUri: as.redirectUri,
  scope: 'openid read',
  allowedOrigins: [],
  store: memory(),
  fetch: handledFetch(as.handlers),
  userAgent: agreeable(as),
  ...JSON.parse(options),
} as ClientOptions)
await client.signIn()
await client.signOut(JSON.parse(choice))
console.log(`session ${client.session.status}`)
