// Runs on every runtime, in an app that has installed the package: node importable.mjs [how localStorage is broken]
const [, , broken] = process.argv
const refuse = () => {
  throw new DOMException('The operation is insecure.', 'SecurityError')
}
// Node 25 and later have their own, which works only with a file that is named on the command line
const shapes = {
  'a getter that throws': { get: refuse },
  'an object without methods': { value: {} },
  null: { value: null },
}
for (const name of ['localStorage', 'sessionStorage']) {
  if (broken) Object.defineProperty(globalThis, name, { configurable: true, ...shapes[broken] })
}

const { createClient, indexedDb, memory, tabStorage } = await import('latchkey')
const outcomes = {}
for (const [name, store] of Object.entries({ default: undefined, indexedDb, memory, tabStorage })) {
  const client = createClient({
    issuer: 'https://id.example.com',
    clientId: 'app',
    redirectUri: 'https://app.example.com/callback',
    allowedOrigins: ['https://api.example.com'],
    store: store?.(),
  })
  const settled = await client.start().then(
    ({ status }) => status,
    ({ code }) => code,
  )
  const signIn = await client.signIn().then(
    ({ status }) => status,
    ({ code }) => code,
  )
  outcomes[name] = [settled, signIn]
}
console.log(
  JSON.stringify({
    outcomes,
    globals: ['window', 'document'].filter(name => name in globalThis),
  }),
)
// nothing is closed and the script does not exit: no timer, channel or listener may keep the process running
