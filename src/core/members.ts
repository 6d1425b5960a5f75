/** The members of a JSON object, by name. A member may be named `__proto__`: it is an own property like any other. */
export type Members = Readonly<Record<string, unknown>>

/** Whether a parsed value is a JSON object, and not `null` or an array. */
export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
