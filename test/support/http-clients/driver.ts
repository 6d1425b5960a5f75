import type { Client } from 'latchkey'
import type { Note } from './notes.ts'

/** One library that uses `client.fetch`. */
export interface Library {
  read(id: number): Promise<Note>
  /** Sends a body. */
  write(text: string): Promise<Note>
  /** Sends a body, and reads the response as a stream. */
  stream?(text: string): Promise<string>
  close?(): Promise<void>
}

export interface Driver {
  readonly name: string
  /** The file in examples/http-clients that sets it up. */
  readonly example: string
  /** The package whose version docs/http-clients.md names. */
  readonly package: string
  /** Where the app finds latchkey's error: thrown itself, as the cause, or only in a message. */
  readonly errorIs: 'thrown' | 'cause' | 'message'
  /** @param origin the API's origin. */
  connect(client: Pick<Client, 'fetch'>, origin: string): Library | Promise<Library>
}

/** Returns a result that must exist. */
export function present<T>(value: T | null | undefined, error?: unknown): T {
  if (value === null || value === undefined) throw new Error('The library gave no result.', { cause: error })
  return value
}
