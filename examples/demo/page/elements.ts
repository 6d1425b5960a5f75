/**
 * Finds an element that must be in the page.
 * @throws Error if index.html does not contain it.
 */
export function element<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector)
  if (!found) throw new Error(`The page has no ${selector}.`)
  return found
}

export const byTestId = <E extends HTMLElement = HTMLElement>(id: string) =>
  element<E>(`[data-testid="${id}"]`)

/** Creates an element with a text. */
export function created<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text: string,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.textContent = text
  return made
}
