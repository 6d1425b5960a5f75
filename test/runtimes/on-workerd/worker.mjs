// Runs on workerd: a request for each scenario file.
import { createRequire } from 'node:module'
import { open } from './scenarios.js'

export { Entries } from './entries.mjs'

const require = createRequire('/')
const unhandled = []
addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason?.stack ?? reason)))

export default {
  async fetch(request) {
    if (request.method === 'GET') return Response.json('ready')
    const { file, without } = await request.json()
    const outcomes = await open(require).runFile(file, without)
    return Response.json({ outcomes, unhandled: unhandled.splice(0) })
  },
}
