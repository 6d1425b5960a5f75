import type { Client } from '../index.ts'
import { button, createElement, keyPicture } from './elements.ts'
import { createPanel, type Panel } from './panel.ts'
import { css } from './style.ts'

/** The element `<latchkey-inspector>`. */
export interface LatchkeyInspector extends HTMLElement {
  /** The client to show. */
  client: Client | undefined
  /** With the attribute `docked`: whether the panel is open. Reflects the attribute `open`. */
  open: boolean
}

const NAME = 'latchkey-inspector'

/** Creates the class on first use, because HTMLElement does not exist while a server renders. */
function createElementClass() {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  return class extends HTMLElement implements LatchkeyInspector {
    static readonly observedAttributes = ['open']
    #client: Client | undefined
    #panel: Panel | undefined
    readonly #root = this.attachShadow({ mode: 'open' })
    readonly #toggle = button('', 'Opens the inspector of latchkey', () => this.#setOpen(true))

    constructor() {
      super()
      this.#root.adoptedStyleSheets = [sheet]
      this.#toggle.className = 'toggle'
      this.#toggle.append(keyPicture(), createElement('span', '', 'latchkey'))
    }
    get client(): Client | undefined {
      return this.#client
    }
    set client(client: Client | undefined) {
      this.#client = client
      this.#draw()
    }
    get open(): boolean {
      return this.hasAttribute('open')
    }
    set open(isOpen: boolean) {
      this.toggleAttribute('open', isOpen)
    }
    connectedCallback(): void {
      this.addEventListener('keydown', this.#keydown)
      this.#draw()
    }
    disconnectedCallback(): void {
      this.removeEventListener('keydown', this.#keydown)
      this.#panel?.stop()
      this.#panel = undefined
    }
    attributeChangedCallback(): void {
      this.#toggle.setAttribute('aria-expanded', String(this.open))
    }
    #keydown = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && this.open && this.hasAttribute('docked')) this.#setOpen(false)
    }
    /** Opens or closes the panel, and moves the focus to the button that reverses it. */
    #setOpen(isOpen: boolean): void {
      this.open = isOpen
      const next = isOpen ? this.#root.querySelector<HTMLElement>('.panel .close') : this.#toggle
      next?.focus()
    }
    #draw(): void {
      this.#panel?.stop()
      this.#panel = undefined
      if (!this.#client || !this.isConnected) return
      const close = button('Close', 'Closes the inspector (Escape)', () => this.#setOpen(false))
      close.className = 'quiet close'
      this.#panel = createPanel(this.#client, close)
      this.attributeChangedCallback()
      this.#root.replaceChildren(this.#toggle, this.#panel.element)
    }
  }
}

/**
 * Defines the element `<latchkey-inspector>`, once. Set its property `client`. With the attribute `docked` it is at the
 * bottom of the window and can be closed; otherwise it fills its container.
 */
export function defineInspector(): void {
  if (!customElements.get(NAME)) customElements.define(NAME, createElementClass())
}

/** Options of `mountInspector()`. All are optional. */
export interface InspectorOptions {
  /** Whether the panel is open at first. Default false: a small button at the bottom. */
  open?: boolean
  /** Where to put the element. With it, the inspector fills this place instead of the bottom of the window. */
  container?: HTMLElement
}

/**
 * Shows an inspector for a client: its requests and responses, how long its access token lasts, and what is wrong. For
 * development only: it shows no token, but anyone at the page can press its buttons.
 * @param client the client to show.
 * @param options.open whether the panel is open at first. Default false.
 * @param options.container where to put it. Default: the bottom of the window.
 * @returns a function that removes it.
 */
export function mountInspector(client: Client, options: InspectorOptions = {}): () => void {
  defineInspector()
  const element = document.createElement(NAME) as LatchkeyInspector
  element.toggleAttribute('docked', !options.container)
  element.open = options.open ?? false
  element.client = client
  const place = options.container ?? document.body
  place.append(element)
  return () => element.remove()
}
