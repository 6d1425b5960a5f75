/** The members of a JSON object. */
export type Members = Readonly<Record<string, unknown>>

/** Whether a parsed value is a JSON object, and not `null` or an array. */
export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
