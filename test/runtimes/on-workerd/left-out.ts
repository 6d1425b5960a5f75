/** The scenarios that do not run on workerd, each with the reason. */

const REAL_SERVER = 'its authorization server is a server of Node (oidc-provider)'
const OWN_SERVER = 'it starts a server of Node'
const PROCESSES = 'it starts processes'

/** Whole files, by their path in test/scenarios. */
export const leftOutFiles: Readonly<Record<string, string>> = {
  'app-killed-during-sign-in.test.ts': 'it is about apps in a webview, whose page has events',
  'busy-page-with-uploads.test.ts': OWN_SERVER,
  'cli-everywhere.test.ts': `${PROCESSES}, some with a terminal`,
  'credentials-at-a-real-server.test.ts': REAL_SERVER,
  'device-and-ciba-at-a-real-server.test.ts': REAL_SERVER,
  'dpop-at-a-real-server.test.ts': REAL_SERVER,
  'fleet-on-redis.test.ts': `${PROCESSES}, and Redis`,
  'jsdom.test.ts': 'jsdom needs Node',
  'keys-rotate-at-a-real-server.test.ts': REAL_SERVER,
  'lease-that-ran-out.test.ts': 'it starts Redis',
  'resources-at-a-real-server.test.ts': REAL_SERVER,
  'service-example.test.ts': PROCESSES,
  'sign-out-in-a-terminal.test.ts': PROCESSES,
  'ten-terminals.test.ts': PROCESSES,
  'uploads-arrive-whole.test.ts': OWN_SERVER,
  'providers/firebase-emulator.test.ts': 'it starts the Firebase emulator',
  'providers/examples.test.ts': PROCESSES,
  'resource-server/adapters.test.ts': 'its servers are of Express, Fastify and Node',
  'resource-server/gateway-apache.test.ts': 'it starts Apache',
  'resource-server/gateway-haproxy.test.ts': 'it starts HAProxy',
  'resource-server/gateway-nginx.test.ts': 'it starts nginx',
  'resource-server/microservices.test.ts': 'its services are servers of Node',
  'resource-server/mutual-tls.test.ts': 'its servers are of Express, Fastify and Node',
  'resource-server/verdicts-apache.test.ts': 'it starts Apache',
  'resource-server/whole-exchange.test.ts': REAL_SERVER,
}

const CHILD = 'starts a process'
// a test store in memory has answered when its call returns, and a Durable Object has not
const JUMP = 'its clock jumps past the time limit of a call that the store has not answered yet'
const AT_ONCE = 'expects one client to see at once what another one is still storing'

/** Single tests of the other files, by file and title. */
export const leftOutTests: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'client-fetch-is-fetch.test.ts': {
    'a call with shared memory as its body is rejected as fetch rejects it, also if it waits for a token [F3.10]':
      'the fetch of workerd accepts shared memory',
    'client.fetch has the name and length of fetch and rejects a call without arguments [F3.10]':
      'the fetch of workerd has the length 0',
    'a no-cors call is sent unchanged, without a token and without a session [F3.8]':
      'workerd has no `mode`: a Request does not say that it was made with one',
    'a client keeps using the original fetch after its own fetch becomes the global one [F3.9]': CHILD,
  },
  'clients-with-credentials.test.ts': {
    'a client secret in an app that anyone can read > causes a warning that reaches a listener added right after creation [TR06]':
      'only its owner can read an app on workerd, so latchkey does not warn there',
    'a client secret in an app that anyone can read > throws an error with strict [TR06]':
      'only its owner can read an app on workerd, so latchkey accepts a secret there',
  },
  'session-limits.test.ts': {
    'an idle limit > is shared by all tabs: activity in one tab counts for all and withdraws the warning':
      JUMP,
    'a clock that is set back > extends the session over a reload only by the unmeasured time': JUMP,
  },
  'signing-out.test.ts': {
    'a sign-out in progress > returns no token in any client': AT_ONCE,
  },
  'storage-fails.test.ts': {
    'when the store fails > permanently, and all writes fail, a client with a rotation in memory stops the others from sending the spent token':
      AT_ONCE,
    'when the store fails > permanently, and the mark before it was written, a client with a rotation in memory stops the others from sending the spent token':
      AT_ONCE,
  },
  'trouble.test.ts': {
    'while refreshes fail [F2.2] > every client shows what is wrong and since when, and none shows it afterwards':
      'a retry in the background succeeds before it looks at the last client',
  },
  'what-developers-are-told.test.ts': {
    'a warning > is written on the console if the app sets no logger [F4.3]': CHILD,
    'a warning > is written nowhere with `logger: false` [F4.3]': CHILD,
  },
  'resource-server/verdicts.test.ts': {
    'docs/resource-server.md contains the table of these verdicts': 'reads the file system',
  },
}
