import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Listening, listen } from './listen.ts'

/** The content of `/config.json`, which the page fetches. */
export interface PageConfig {
  readonly issuer: string
  readonly clientId: string
  readonly apiUrl: string
}

export interface PageServerOptions {
  /** Default 0: any free port. */
  port?: number
  /** How the reader of a message about a taken port chooses another one. */
  portOption?: string
  /** Called for each request, because the other servers start after this one. */
  config: () => PageConfig
  /** For the button that makes the server revoke a user's access tokens. */
  revokeAccessTokensOf: (subject: string) => Promise<number>
}

const pageFolder = fileURLToPath(new URL('../page/', import.meta.url))
const scriptFolder = fileURLToPath(new URL('../../../build/demo/', import.meta.url))

/** All files. Every other path is the page itself, also `/callback`. */
const files: Readonly<Record<string, string>> = {
  '/style.css': join(pageFolder, 'style.css'),
  '/icon.svg': join(pageFolder, 'icon.svg'),
  '/main.js': join(scriptFolder, 'main.js'),
  '/main.js.map': join(scriptFolder, 'main.js.map'),
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
}

const contentSecurityPolicy = ({ issuer, apiUrl }: PageConfig) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${issuer} ${new URL(apiUrl).origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

async function readSubject(request: IncomingMessage): Promise<string | undefined> {
  // a form of another site cannot send this type, and the preflight stops its scripts
  if (request.headers['content-type'] !== 'application/json') return undefined
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text = (text + chunk).slice(0, 1000)
  try {
    const value: unknown = JSON.parse(text)
    const subject =
      typeof value === 'object' && value !== null && 'subject' in value ? value.subject : undefined
    return typeof subject === 'string' ? subject : undefined
  } catch {
    return undefined
  }
}

/** Serves the demo page. */
export async function startPageServer(options: PageServerOptions): Promise<Listening> {
  const sendJson = (response: ServerResponse, status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (request.method === 'POST' && pathname === '/demo/revoke') {
      const subject = await readSubject(request)
      if (!subject) return sendJson(response, 400, { error: 'Send JSON with a "subject".' })
      return sendJson(response, 200, { revoked: await options.revokeAccessTokensOf(subject) })
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' })
      return response.end()
    }
    if (pathname === '/config.json') return sendJson(response, 200, options.config())
    const known = files[pathname]
    if (!known && extname(pathname)) {
      response.writeHead(404)
      return response.end()
    }
    const file = known ?? join(pageFolder, 'index.html')
    const content = await readFile(file)
    response.writeHead(200, {
      'content-type': contentTypes[extname(file)],
      'content-security-policy': contentSecurityPolicy(options.config()),
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    return response.end(request.method === 'HEAD' ? undefined : content)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      response.writeHead(500, { 'content-type': 'text/plain' })
      response.end('This file is missing; `npm run build` makes it.\n')
    })
  })
  return listen(server, { name: 'demo page', port: options.port, portOption: options.portOption })
}
