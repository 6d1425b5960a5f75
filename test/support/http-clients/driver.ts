import type { Client } from 'latchkey'
import type { Note } from './notes.ts'

/** One library set up over `client.fetch`. */
export interface Library {
  read(id: number): Promise<Note>
  /** Sends a body. */
  write(text: string): Promise<Note>
  /** Sends a body, and reads the answer as it comes. */
  stream?(text: string): Promise<string>
  close?(): Promise<void>
}

export interface Driver {
  readonly name: string
  /** The file in examples/http-clients that it is set up by. */
  readonly example: string
  /** The package that docs/http-clients.md names the version of. */
  readonly package: string
  /** Where the app finds latchkey's own error: it is what is thrown, its cause, or only told by a message. */
  readonly errorIs: 'thrown' | 'cause' | 'message'
  /** @param origin of the API. */
  connect(client: Pick<Client, 'fetch'>, origin: string): Library | Promise<Library>
}

/** What a result is that has to be there. */
export function present<T>(value: T | null | undefined, error?: unknown): T {
  if (value === null || value === undefined) throw new Error('The library gave no result.', { cause: error })
  return value
}
