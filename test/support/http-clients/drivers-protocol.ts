import { gql } from '@apollo/client'
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js'
import { createApi as createApollo } from '../../../examples/http-clients/apollo.ts'
import { createApi as createGraphQlRequest } from '../../../examples/http-clients/graphql-request.ts'
import { createTransport } from '../../../examples/http-clients/mcp.ts'
import { createOctokit } from '../../../examples/http-clients/octokit.ts'
import { createOpenAi } from '../../../examples/http-clients/openai.ts'
import { createSupabase } from '../../../examples/http-clients/supabase.ts'
import { type Driver, present } from './driver.ts'
import type { Note } from './notes.ts'

const READ = 'query Read($id: Int!) { note(id: $id) { id text } }'
const WRITE = 'mutation Write($text: String!) { note: write(text: $text) { id text } }'

/** Libraries that speak a protocol, or the API of one service. */
export const protocolDrivers: readonly Driver[] = [
  {
    name: 'graphql-request',
    example: 'graphql-request',
    package: 'graphql-request',
    errorIs: 'thrown',
    connect(client, origin) {
      const api = createGraphQlRequest(client, `${origin}/graphql`)
      return {
        read: async id => (await api.request<{ note: Note }>(READ, { id })).note,
        write: async text => (await api.request<{ note: Note }>(WRITE, { text })).note,
      }
    },
  },
  {
    name: "Apollo Client's HTTP link",
    example: 'apollo',
    package: '@apollo/client',
    errorIs: 'thrown',
    connect(client, origin) {
      const api = createApollo(client, `${origin}/graphql`)
      const plain = (note: Note | undefined): Note => {
        const { id, text } = present(note)
        return { id, text }
      }
      return {
        async read(id) {
          const query = gql(READ)
          const { data } = await api.query<{ note: Note }>({
            query,
            variables: { id },
            fetchPolicy: 'no-cache',
          })
          return plain(data?.note)
        },
        async write(text) {
          const { data } = await api.mutate<{ note: Note }>({ mutation: gql(WRITE), variables: { text } })
          return plain(data?.note)
        },
        close: async () => api.stop(),
      }
    },
  },
  {
    name: 'supabase-js',
    example: 'supabase',
    package: '@supabase/supabase-js',
    errorIs: 'message',
    connect(client, origin) {
      const supabase = createSupabase(client, origin, 'the-anon-key')
      return {
        async read(id) {
          const { data, error } = await supabase.from('notes').select('id,text').eq('id', id).single<Note>()
          return present(data, error)
        },
        async write(text) {
          const { data, error } = await supabase.from('notes').insert({ text }).select().single<Note>()
          return present(data, error)
        },
      }
    },
  },
  {
    name: 'Octokit',
    example: 'octokit',
    package: '@octokit/core',
    errorIs: 'cause',
    connect(client, origin) {
      const octokit = createOctokit(client, origin)
      const at = { owner: 'octo', repo: 'notes' }
      const toNote = ({ data }: { data: { number: number; title: string } }): Note => ({
        id: data.number,
        text: data.title,
      })
      return {
        read: async id =>
          toNote(
            await octokit.request('GET /repos/{owner}/{repo}/issues/{issue_number}', {
              ...at,
              issue_number: id,
            }),
          ),
        write: async title =>
          toNote(await octokit.request('POST /repos/{owner}/{repo}/issues', { ...at, title })),
      }
    },
  },
  {
    name: 'the OpenAI SDK',
    example: 'openai',
    package: 'openai',
    errorIs: 'cause',
    connect(client, origin) {
      const openAi = createOpenAi(client, `${origin}/v1`)
      const ask = (content: string) => ({ model: 'echo', messages: [{ role: 'user' as const, content }] })
      return {
        async read(id) {
          const model = await openAi.models.retrieve(String(id))
          return { id: Number(model.id), text: `note ${model.id}` }
        },
        async write(content) {
          const completion = await openAi.chat.completions.create(ask(content))
          const text = present(completion.choices[0]?.message.content)
          return { id: text.length, text }
        },
        async stream(content) {
          let text = ''
          const chunks = await openAi.chat.completions.create({ ...ask(content), stream: true })
          for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? ''
          return text
        },
      }
    },
  },
  {
    name: "the Model Context Protocol SDK's HTTP transport",
    example: 'mcp',
    package: '@modelcontextprotocol/sdk',
    errorIs: 'thrown',
    async connect(client, origin) {
      const mcp = new McpClient({ name: 'tests', version: '1.0.0' })
      await mcp.connect(createTransport(client, `${origin}/mcp`))
      const call = async (name: string, note: Partial<Note>): Promise<Note> => {
        const { content } = await mcp.callTool({ name, arguments: { ...note } })
        const [part] = content as { text: string }[]
        return JSON.parse(present(part).text)
      }
      return {
        read: id => call('read', { id }),
        write: text => call('write', { text }),
        close: () => mcp.close(),
      }
    },
  },
]
