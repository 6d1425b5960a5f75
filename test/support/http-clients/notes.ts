/** The value that all libraries read and write, whatever its name in their protocol. */
export interface Note {
  readonly id: number
  readonly text: string
}

export const noteOf = (id: number): Note => ({ id, text: `note ${id}` })

/** The API's response to a new note: its id is the length of the text. */
export const written = (text: string): Note => ({ id: text.length, text })
