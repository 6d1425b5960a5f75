import { createServer } from 'node:http'
import { listen } from '../../../examples/demo/servers/listen.ts'
import { appPage, bundle, policy } from '../e2e-pages.ts'
import { startTestServers, type TestServers } from '../server.ts'
import { type Api, startApi } from './api.ts'

export interface LibrariesPage {
  readonly servers: TestServers
  readonly api: Api
  readonly url: string
  close(): Promise<void>
}

/** Starts the page of page.ts with a strict Content Security Policy, and its servers. */
export async function startLibrariesPage(): Promise<LibrariesPage> {
  const script = await bundle('test/support/http-clients/page.ts')
  let html = ''
  let csp = ''
  const page = await listen(
    createServer((request, response) => {
      if (request.url === '/app.js') {
        return response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(script)
      }
      const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': csp }
      return response.writeHead(200, headers).end(html)
    }),
    { name: 'page of the libraries' },
  )
  const servers = await startTestServers('http://127.0.0.1:1', page.origin)
  const api = await startApi(servers)
  csp = policy(servers.issuer, api.origin)
  html = appPage({ issuer: servers.issuer, apiOrigin: api.origin })
  return {
    servers,
    api,
    url: `${page.origin}/`,
    async close() {
      await Promise.all([api.close(), servers.close(), page.close()])
    },
  }
}
