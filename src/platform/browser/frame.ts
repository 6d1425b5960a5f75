/**
 * Whether this page is in a frame of another origin. There, browsers keep its storage and channels apart from those of
 * windows, and most authorization servers show nothing.
 */
export function isEmbedded(): boolean {
  try {
    return globalThis.top !== undefined && top?.location.origin !== location.origin
  } catch {
    return true
  }
}

/** The channel between a popup and the page that waits for it. Both have the same origin. */
export const relayChannel = (state: string) => new BroadcastChannel(`latchkey relay ${state}`)
