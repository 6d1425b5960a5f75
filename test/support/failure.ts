/** Returns the error that `work` throws. */
export const failure = (work: () => unknown): Error => {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('It did not throw.')
}
