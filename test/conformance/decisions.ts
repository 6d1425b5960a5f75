/**
 * Rows of cases.md that latchkey decides against, or that lie outside of what it does: each says why. A row that a test
 * names has no place here.
 */
export const decisions: Readonly<Record<string, string>> = {}

/** Rows that have neither yet. The list only shrinks. */
export const notYet: readonly string[] = []
