import { MutationObserver } from '@tanstack/query-core'
import { createApi as createAxios } from '../../../examples/http-clients/axios.ts'
import { createApi as createKyApi } from '../../../examples/http-clients/ky.ts'
import { createApi as createOfetch } from '../../../examples/http-clients/ofetch.ts'
import { createApi as createOpenApi } from '../../../examples/http-clients/openapi-fetch.ts'
import { createQueries } from '../../../examples/http-clients/tanstack-query.ts'
import { type Driver, present } from './driver.ts'
import type { Note } from './notes.ts'

/** The plain JSON API, as openapi-typescript generates it. */
interface Paths {
  '/notes/{id}': {
    get: {
      parameters: { path: { id: number } }
      responses: { 200: { content: { 'application/json': Note } } }
    }
  }
  '/notes': {
    post: {
      requestBody: { content: { 'application/json': { text: string } } }
      responses: { 201: { content: { 'application/json': Note } } }
    }
  }
}

/** Libraries that speak plain JSON with the app's own API. */
export const jsonDrivers: readonly Driver[] = [
  {
    name: 'ky',
    example: 'ky',
    package: 'ky',
    errorIs: 'thrown',
    connect(client, origin) {
      const api = createKyApi(client, origin)
      return {
        read: id => api.get(`notes/${id}`).json<Note>(),
        write: text => api.post('notes', { json: { text } }).json<Note>(),
      }
    },
  },
  {
    name: 'axios',
    example: 'axios',
    package: 'axios',
    errorIs: 'cause',
    connect(client, origin) {
      const api = createAxios(client, origin)
      return {
        read: async id => (await api.get<Note>(`/notes/${id}`)).data,
        write: async text => (await api.post<Note>('/notes', { text })).data,
      }
    },
  },
  {
    name: 'ofetch',
    example: 'ofetch',
    package: 'ofetch',
    errorIs: 'cause',
    connect(client, origin) {
      const api = createOfetch(client, origin)
      return {
        read: id => api<Note>(`/notes/${id}`),
        write: text => api<Note>('/notes', { method: 'POST', body: { text } }),
      }
    },
  },
  {
    name: 'openapi-fetch',
    example: 'openapi-fetch',
    package: 'openapi-fetch',
    errorIs: 'thrown',
    connect(client, origin) {
      const api = createOpenApi<Paths>(client, origin)
      return {
        async read(id) {
          const { data, error } = await api.GET('/notes/{id}', { params: { path: { id } } })
          return present(data, error)
        },
        async write(text) {
          const { data, error } = await api.POST('/notes', { body: { text } })
          return present(data, error)
        },
      }
    },
  },
  {
    name: 'TanStack Query',
    example: 'tanstack-query',
    package: '@tanstack/query-core',
    errorIs: 'thrown',
    connect(client, origin) {
      const queries = createQueries(client, origin)
      return {
        read: id => queries.fetchQuery<Note>({ queryKey: ['notes', id] }),
        write: text =>
          new MutationObserver(queries, {
            async mutationFn(note: string): Promise<Note> {
              const body = JSON.stringify({ text: note })
              const response = await client.fetch(`${origin}/notes`, { method: 'POST', body })
              return response.json()
            },
          }).mutate(text),
        close: async () => queries.clear(),
      }
    },
  },
]
