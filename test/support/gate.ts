/** A promise and the function that resolves it. */
export function gate() {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { open, opened }
}

/** Lets all other ready tasks run. */
export const turn = () => new Promise<void>(resolve => setTimeout(resolve, 0))
