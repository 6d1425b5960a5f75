import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createTokenCheck, type TokenCheckOptions } from './introspection.ts'
import { type Listening, listen } from './listen.ts'

/** Events of the resource server. */
export type ResourceServerLogEntry =
  /** It asked the authorization server about a token (RFC 7662), and the answer. */
  | { readonly type: 'introspection-request' }
  | { readonly type: 'introspection-response'; readonly active: boolean; readonly scope: string }
  | { readonly type: 'introspection-error'; readonly message: string }
  /** It answered a request. */
  | { readonly type: 'response'; readonly method: string; readonly path: string; readonly status: number }

export interface ResourceServerOptions extends Omit<TokenCheckOptions, 'log'> {
  /** Default 0: any free port. */
  port?: number
  /** How the reader of a message about a taken port chooses another one. */
  portOption?: string
  /** The origins of pages that may call. Default: none. */
  allowedOrigins?: readonly string[]
  log?: (entry: ResourceServerLogEntry) => void
}

interface Note {
  readonly id: number
  readonly text: string
  readonly at: string
}

interface Answer {
  status: number
  headers?: Readonly<Record<string, string>>
  body?: unknown
}

const LONGEST_NOTE_BYTES = 4096

/** The headers that the check of a token reads. */
const credentialsOf = ({ authorization }: IncomingMessage['headers']): Record<string, string> =>
  authorization === undefined ? {} : { authorization }

async function readNote(request: IncomingMessage): Promise<string | undefined> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > LONGEST_NOTE_BYTES) return undefined
  }
  try {
    const value: unknown = JSON.parse(text)
    const note = typeof value === 'object' && value !== null && 'text' in value ? value.text : undefined
    return typeof note === 'string' && note.trim() ? note.trim() : undefined
  } catch {
    return undefined
  }
}

/** Starts the notes API. Every user has a list: `notes:read` allows reading it, `notes:write` adding to it. */
export async function startResourceServer(options: ResourceServerOptions): Promise<Listening> {
  const { allowedOrigins = [], log = () => {} } = options
  const checkToken = createTokenCheck({ ...options, log })
  const notes = new Map<string, Note[]>()

  const corsHeaders = (origin: string | undefined): Record<string, string> =>
    origin && allowedOrigins.includes(origin)
      ? {
          'access-control-allow-origin': origin,
          // without this, a page cannot distinguish an expired token from a missing scope
          'access-control-expose-headers': 'WWW-Authenticate',
        }
      : {}

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { method = 'GET', headers } = request
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/notes') {
      return { status: 404, body: { error: 'Only /notes is here.' } }
    }
    if (method === 'OPTIONS') {
      return {
        status: 204,
        headers: {
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': 'Authorization, Content-Type',
          'access-control-max-age': '600',
        },
      }
    }
    if (method !== 'GET' && method !== 'POST') {
      return { status: 405, headers: { allow: 'GET, POST, OPTIONS' }, body: { error: 'GET or POST.' } }
    }
    const sent = new Request('http://localhost/notes', { method, headers: credentialsOf(headers) })
    const verdict = await checkToken(sent, { scope: method === 'GET' ? 'notes:read' : 'notes:write' })
    if (!verdict.valid) return verdict
    const subject = verdict.subject ?? ''
    const own = notes.get(subject) ?? []
    if (method === 'GET') return { status: 200, body: own }
    const text = await readNote(request)
    if (!text) return { status: 400, body: { error: 'Send JSON with a "text" of 1 to 4000 characters.' } }
    const note: Note = { id: own.length + 1, text, at: new Date().toISOString() }
    notes.set(subject, [...own, note])
    return { status: 201, body: note }
  }

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const { status, headers, body } = await answer(request).catch(() => ({
      status: 500,
      headers: {},
      body: {},
    }))
    response.writeHead(status, {
      ...corsHeaders(request.headers.origin),
      vary: 'Origin',
      'cache-control': 'no-store',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    })
    response.end(body === undefined ? undefined : JSON.stringify(body))
    if (request.method !== 'OPTIONS') {
      log({ type: 'response', method: request.method ?? '', path: request.url ?? '', status })
    }
  })
  return listen(server, { name: 'resource server', port: options.port, portOption: options.portOption })
}
