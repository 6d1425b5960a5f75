import { loopback } from '../../../src/platform/node/loopback.ts'

// A command-line tool that opens the address of a sign-in by default or with the given command.
const [url = '', state = '', open, timeoutMs] = process.argv.slice(2)
const attempt = loopback({
  ...(open === 'print' && { open }),
  ...(timeoutMs && { timeoutMs: Number(timeoutMs) }),
}).begin('http://127.0.0.1/callback')
console.log(`listening ${await attempt.redirectUri}`)
try {
  console.log(`answer ${await attempt.authorize(url, state)}`)
} catch (error) {
  console.log(`refused ${(error as { code?: string }).code}`)
}
attempt.close()
console.log('closed')
