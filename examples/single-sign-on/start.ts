// Two apps with one provider: `npx tsx examples/single-sign-on/start.ts`. Sign in to the first app, then to the second: it asks
// for no name. Sign out of one, then call the API in the other.
import { startApps } from './servers.ts'

const apps = await startApps({
  told: ({ subject, sessionId }) =>
    console.log(
      `The provider told the service: ${subject ?? 'a user'} has signed out (session ${sessionId}).`,
    ),
})
console.log(
  `provider  ${apps.issuer}\nApp one   ${apps.one}\nApp two   ${apps.two}\nPress Ctrl-C to stop them.`,
)
process.once('SIGINT', () => void apps.close())
process.once('SIGTERM', () => void apps.close())
