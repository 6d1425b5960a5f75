/** Run by plain-servers.ts. Answers everything with 200 and a small body, `/refused` with 401. */
import { createServer } from 'node:http'
import { listen } from '../../examples/demo/servers/listen.ts'

const server = createServer((request, response) => {
  const headers = {
    'access-control-allow-origin': request.headers.origin ?? '*',
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-expose-headers': 'www-authenticate',
    'access-control-max-age': '7200',
    'cache-control': 'no-store',
    'timing-allow-origin': '*',
  }
  request.resume()
  request.once('end', () => {
    if (request.method === 'OPTIONS') response.writeHead(204, headers).end()
    else if (request.url === '/refused')
      response.writeHead(401, { ...headers, 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    else response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end('{"ok":true}')
  })
})
server.keepAliveTimeout = 60_000

const { origin, close } = await listen(server, { name: 'plain API' })
process.once('disconnect', close)
process.send?.(origin)
