/** Creates an element with a class and a text. */
export function createElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  text = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text) made.textContent = text
  return made
}

/** Creates a button. */
export function button(text: string, title: string, press: () => unknown): HTMLButtonElement {
  const made = createElement('button', '', text)
  made.type = 'button'
  made.title = title
  made.addEventListener('click', () => void press())
  return made
}

/** Creates a picture from SVG paths. Screen readers skip it. */
export function picture(viewBox: string, className: string, shapes: readonly string[]): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', viewBox)
  svg.setAttribute('class', className)
  svg.setAttribute('aria-hidden', 'true')
  for (const shape of shapes) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
    path.setAttribute('d', shape)
    path.setAttribute('pathLength', '100')
    svg.append(path)
  }
  return svg
}

/** latchkey's logo. */
export const keyPicture = (): SVGSVGElement =>
  picture('0 0 32 20', 'key', ['M12 10a5 5 0 1 1-10 0a5 5 0 1 1 10 0h17v6m-6-6v4.5'])
