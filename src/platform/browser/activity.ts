/** Calls `active` when the user does something in this page: pointer, keys, wheel or touch. Returns a function that stops it. */
export function watchUser(active: () => void): () => void {
  if (typeof document === 'undefined') return () => {}
  const stop = new AbortController()
  const options = { capture: true, passive: true, signal: stop.signal }
  // not moves of a pointer: browsers report some when only the page has moved
  for (const type of ['pointerdown', 'keydown', 'wheel', 'touchmove']) addEventListener(type, active, options)
  return () => stop.abort()
}
