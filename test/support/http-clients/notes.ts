/** What all libraries read and write, whatever their protocol calls it. */
export interface Note {
  readonly id: number
  readonly text: string
}

export const noteOf = (id: number): Note => ({ id, text: `note ${id}` })

/** What a new note comes back as: the API gives it an id that its text tells. */
export const written = (text: string): Note => ({ id: text.length, text })
