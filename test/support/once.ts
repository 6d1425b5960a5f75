/** Does something once for the same arguments, for all test files of a process: the source does not change during a run. */
export function once<A extends readonly (string | undefined)[], T>(
  work: (...args: A) => T,
): (...args: A) => T {
  const done = new Map<string, T>()
  return (...args) => {
    const key = JSON.stringify(args)
    const found = done.get(key) ?? work(...args)
    done.set(key, found)
    return found
  }
}
