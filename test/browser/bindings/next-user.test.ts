import '@angular/compiler'
import { provideZonelessChangeDetection } from '@angular/core'
import { createApplication } from '@angular/platform-browser'
import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client'
import { createAction, createReducer, on, provideStore, Store } from '@ngrx/store'
import { QueryClientProvider, useQuery } from '@tanstack/react-query'
import type { Client } from 'latchkey'
import { LatchkeyProvider, SignedIn } from 'latchkey/react'
import { createPinia, defineStore } from 'pinia'
import { createElement as h, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import useSWR from 'swr'
import { afterEach, expect, test } from 'vitest'
import { ref } from 'vue'
import { forgetUsers as forgetInApollo } from '../../../examples/bindings/apollo.ts'
import { forgetUsers as forgetInNgrx, resetOnUserChange } from '../../../examples/bindings/ngrx.ts'
import { forgetUsers as forgetInPinia } from '../../../examples/bindings/pinia.ts'
import { UserCache } from '../../../examples/bindings/swr.tsx'
import { createQueries } from '../../../examples/bindings/tanstack-query.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'

const world = pageWorlds()
let unmount = () => {}
afterEach(() => unmount())

const NOTES = 'https://api.example.com/notes'

function show(client: Client, content: ReactNode) {
  const container = document.body.appendChild(document.createElement('main'))
  const root = createRoot(container)
  root.render(h(LatchkeyProvider, { client }, content))
  unmount = () => {
    root.unmount()
    container.remove()
  }
  const seen: string[] = []
  const watch = new MutationObserver(() => seen.push(container.textContent ?? ''))
  watch.observe(container, { childList: true, subtree: true, characterData: true })
  return { text: () => container.textContent, seen }
}

/** The API returns the notes of the signed-in user after a delay. */
function notesOf() {
  const w = world()
  let owner = 'alice'
  const client = w.client({}, async () => {
    const answered = owner
    await new Promise(resolve => setTimeout(resolve, 50))
    return Response.json(`notes of ${answered}`)
  })
  const signInAs = async (user: string, other = client) => {
    owner = user
    await other.signIn({ userAgent: w.agreeing(user) })
  }
  return { w, client, signInAs }
}

test.each<[string, (client: Client) => ReactNode]>([
  [
    'TanStack Query',
    client => {
      const queries = createQueries(client)
      const queryFn = async (): Promise<string> => (await client.fetch(NOTES)).json()
      const Notes = () => h('p', null, useQuery({ queryKey: ['notes'], queryFn }).data ?? 'loading')
      return h(QueryClientProvider, { client: queries }, h(SignedIn, null, h(Notes)))
    },
  ],
  [
    'SWR',
    () => {
      const Notes = () => h('p', null, useSWR<string>(NOTES).data ?? 'loading')
      return h(UserCache, null, h(Notes))
    },
  ],
])("with %s, the next user never sees the previous user's notes", async (_, content) => {
  const { w, client, signInAs } = notesOf()
  await client.start()
  await signInAs('alice')
  const { text, seen } = show(client, content(client))
  await expect.poll(text).toBe('notes of alice')
  const other = w.client()
  await other.start()
  seen.length = 0
  await signInAs('bob', other)
  await expect.poll(text).toBe('notes of bob')
  expect(seen).not.toContain('notes of alice')
})

test('with Apollo Client, the cache is empty for the next user', async () => {
  const { client, signInAs } = notesOf()
  await client.start()
  await signInAs('alice')
  const apollo = new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.empty() })
  const query = gql`
    {
      notes
    }
  `
  const stop = forgetInApollo(client, apollo)
  apollo.writeQuery({ query, data: { notes: 'notes of alice' } })
  await signInAs('bob')
  await expect.poll(() => apollo.readQuery({ query })).toBe(null)
  stop()
})

test('with Pinia, the next user gets new stores', async () => {
  const { client, signInAs } = notesOf()
  await client.start()
  await signInAs('alice')
  const pinia = createPinia()
  const useNotes = defineStore('notes', () => ({ text: ref('') }))
  const stop = forgetInPinia(client, pinia, [useNotes])
  useNotes(pinia).text = 'notes of alice'
  await signInAs('bob')
  expect(useNotes(pinia).text).toBe('')
  stop()
})

test('with NgRx, every reducer begins anew for the next user', async () => {
  const { client, signInAs } = notesOf()
  await client.start()
  await signInAs('alice')
  const loaded = createAction('[Notes] Loaded')
  const notes = createReducer(
    '',
    on(loaded, () => 'notes of alice'),
  )
  const app = await createApplication({
    providers: [
      provideZonelessChangeDetection(),
      provideStore({ notes }, { metaReducers: [resetOnUserChange] }),
    ],
  })
  const store = app.injector.get(Store<{ notes: string }>)
  const shown = store.selectSignal(state => state.notes)
  const stop = forgetInNgrx(client, store)
  store.dispatch(loaded())
  expect(shown()).toBe('notes of alice')
  await signInAs('bob')
  expect(shown()).toBe('')
  stop()
  app.destroy()
})
