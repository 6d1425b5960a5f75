/** SvelteKit's `redirect`. */
export function redirect(_status: 302, to: string): never {
  throw new URL(to, location.href)
}

/** SvelteKit's `invalidateAll`: runs every `load` again. */
export const invalidateAll = async (): Promise<void> => {
  dispatchEvent(new Event('invalidate'))
}
