import { createServer } from 'node:http'
import { listen } from '../../examples/demo/servers/listen.ts'

/** A page of another site that has an app in a frame. */
export interface Portal {
  /** The app's servers are at 127.0.0.1, which is another site. */
  readonly origin: string
  /** Shows that app. */
  urlFor(appUrl: string): string
  close(): Promise<void>
}

export async function startPortal(): Promise<Portal> {
  const server = createServer(({ url = '' }, response) => {
    const app = decodeURIComponent(url.slice(2))
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<!doctype html><h1>Portal</h1><iframe src="${app}" width="600"></iframe>`)
  })
  const { port, close } = await listen(server, { name: 'portal' })
  const origin = `http://localhost:${port}`
  return { origin, urlFor: appUrl => `${origin}/?${encodeURIComponent(appUrl)}`, close }
}
