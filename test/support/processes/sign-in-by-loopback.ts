import { loopback } from '../../../src/runtime/loopback.ts'

// A command-line tool that shows the address of a sign-in as it does by default, or as it is told.
const [url = '', state = '', open] = process.argv.slice(2)
const attempt = loopback(open === 'print' ? { open } : {}).begin('http://127.0.0.1/callback')
console.log(`listening ${await attempt.redirectUri}`)
console.log(`answer ${await attempt.authorize(url, state)}`)
attempt.close()
