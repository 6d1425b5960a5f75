import { buildSchema, graphql } from 'graphql'
import { type Note, noteOf, written } from './notes.ts'

export interface Answer {
  readonly status: number
  /** Default `application/json`. */
  readonly type?: string
  readonly headers?: Record<string, string>
  /** A string is sent unchanged, any other value as JSON. */
  readonly body: unknown
}

interface Asked {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A plain JSON API: `/notes/7`, and a POST to `/notes`. */
const rest = (method: string, id: number, { body }: Asked): Answer =>
  method === 'POST'
    ? { status: 201, body: written(JSON.parse(body).text) }
    : { status: 200, body: noteOf(id) }

const schema = buildSchema(`
  type Note { id: Int!, text: String! }
  type Query { note(id: Int!): Note! }
  type Mutation { write(text: String!): Note! }
`)

const graphQl = async ({ body }: Asked): Promise<Answer> => {
  const { query, variables, operationName } = JSON.parse(body)
  const result = await graphql({
    schema,
    source: query,
    variableValues: variables,
    operationName,
    rootValue: { note: ({ id }: Note) => noteOf(id), write: ({ text }: Note) => written(text) },
  })
  return { status: 200, type: 'application/graphql-response+json', body: result }
}

/** PostgREST: `?id=eq.7` filters, the `Accept` of `.single()` asks for one object, `Prefer` asks for the new row. */
const postgRest = (method: string, url: URL, { headers, body }: Asked): Answer => {
  const isWrite = method === 'POST'
  if (!headers.apikey) return { status: 401, body: { message: 'No API key found in request' } }
  if (isWrite && !headers.prefer?.includes('return=representation')) return { status: 201, body: '' }
  const note = isWrite
    ? written(JSON.parse(body).text)
    : noteOf(Number(url.searchParams.get('id')?.replace('eq.', '')))
  const isSingle = headers.accept?.includes('vnd.pgrst.object')
  return { status: isWrite ? 201 : 200, body: isSingle ? note : [note] }
}

const issueOf = ({ id, text }: Note) => ({ number: id, title: text, state: 'open' })

const gitHub = (method: string, number: number, { body }: Asked): Answer =>
  method === 'POST'
    ? { status: 201, body: issueOf(written(JSON.parse(body).title)) }
    : { status: 200, body: issueOf(noteOf(number)) }

/** A model that repeats the message, in one response or as a stream of characters. */
const chat = ({ body }: Asked): Answer => {
  const { model, messages, stream } = JSON.parse(body)
  const content: string = messages.at(-1).content
  const completion = { id: 'chatcmpl-1', created: 1, model }
  if (!stream) {
    const choice = {
      index: 0,
      message: { role: 'assistant', content },
      finish_reason: 'stop',
      logprobs: null,
    }
    return { status: 200, body: { ...completion, object: 'chat.completion', choices: [choice] } }
  }
  const events = [...content].map(piece => ({
    ...completion,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content: piece }, finish_reason: null }],
  }))
  const lines = [...events.map(event => JSON.stringify(event)), '[DONE]'].map(data => `data: ${data}\n\n`)
  return { status: 200, type: 'text/event-stream', body: lines.join('') }
}

const model = (id: string): Answer => ({
  status: 200,
  body: { id, object: 'model', created: 1, owned_by: 'the tests' },
})

/** Answers with the API of the path. */
export function answerTo(method: string, url: URL, asked: Asked): Answer | Promise<Answer> {
  const [first = '', ...others] = url.pathname.slice(1).split('/')
  const last = others.at(-1) ?? ''
  if (first === 'notes') return rest(method, Number(last), asked)
  if (first === 'graphql') return graphQl(asked)
  if (url.pathname === '/rest/v1/notes') return postgRest(method, url, asked)
  if (first === 'repos') return gitHub(method, Number(last), asked)
  if (url.pathname === '/v1/chat/completions') return chat(asked)
  if (url.pathname.startsWith('/v1/models/')) return model(last)
  return { status: 404, body: { error: `Nothing is at ${url.pathname}.` } }
}
