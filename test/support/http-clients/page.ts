/** Runs in the browser, bundled by start-page.ts: every library uses one client. Tests reach it as `window.libraries`. */
import { createClient } from 'latchkey'
import type { Library } from './driver.ts'
import { drivers } from './drivers.ts'
import type { Note } from './notes.ts'

const content = document.querySelector<HTMLMetaElement>('meta[name=config]')?.content ?? ''
const config: { readonly issuer: string; readonly apiOrigin: string } = JSON.parse(content)

const client = createClient({
  issuer: config.issuer,
  clientId: 'e2e-app',
  redirectUri: '/callback',
  scope: 'openid offline_access notes:read',
  allowedOrigins: [config.apiOrigin],
})
const connected: Library[] = []

const libraries = {
  client,

  /** Sets up a library. @returns its number for the other methods. */
  async connect(example: string): Promise<number> {
    const driver = drivers.find(one => one.example === example)
    if (!driver) throw new Error(`There is no ${example}.`)
    return connected.push(await driver.connect(client, config.apiOrigin)) - 1
  },

  /** Reads and writes one note after the other. */
  async round([index, text]: readonly [number, string]): Promise<Note[]> {
    const { read, write } = libraries.at(index)
    return [await read(7), await write(text)]
  },

  write: ([index, text]: readonly [number, string]): Promise<Note> => libraries.at(index).write(text),

  /** Reads and writes alternately, all at once. */
  many([index, texts]: readonly [number, readonly string[]]): Promise<Note[]> {
    const { read, write } = libraries.at(index)
    return Promise.all(texts.map((text, id) => (id % 2 ? write(text) : read(id))))
  },

  stream: async ([index, text]: readonly [number, string]) => libraries.at(index).stream?.(text),

  close: async (index: number): Promise<void> => libraries.at(index).close?.(),

  at(index: number): Library {
    const library = connected[index]
    if (!library) throw new Error(`Nothing is connected as ${index}.`)
    return library
  },
}

declare global {
  interface Window {
    libraries: typeof libraries
  }
}

document.querySelector('#sign-in')?.addEventListener('click', () => void client.signIn({ returnTo: '/' }))
window.libraries = libraries
await client.start()
