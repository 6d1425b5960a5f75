/**
 * The element that the page is known to have.
 * @throws Error when index.html and the script have parted ways.
 */
export function element<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector)
  if (!found) throw new Error(`The page has no ${selector}.`)
  return found
}

export const byTestId = <E extends HTMLElement = HTMLElement>(id: string) =>
  element<E>(`[data-testid="${id}"]`)

/** A new element with a text. */
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
