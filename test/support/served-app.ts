import { createServer } from 'node:http'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'

const html =
  '<!doctype html><base href="/"><div id="app"></div><div id="root"></div><app-root></app-root><script type="module" src="/app.js"></script>'

/** Serves an app: the same page at every address, which runs `script`. Playwright itself routes no redirect to a callback. */
export function serveApp(script: string): Promise<Listening> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js'
    response.writeHead(200, {
      'content-type': `${isScript ? 'text/javascript' : 'text/html'}; charset=utf-8`,
    })
    response.end(isScript ? script : html)
  })
  return listen(server, { name: 'app of a test' })
}
