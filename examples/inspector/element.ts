import type { Client } from 'latchkey'
import { defineInspector, type LatchkeyInspector } from 'latchkey/inspector'

/** Puts the inspector into a page of your own tools. */
export function showInspector(client: Client, place: HTMLElement): void {
  defineInspector()
  const inspector = document.createElement('latchkey-inspector') as LatchkeyInspector
  inspector.client = client
  place.append(inspector) // it fills its container
}
