/** A set of listeners. */
export interface Listeners<T> {
  add(listener: (value: T) => void): () => void
  size(): number
  /** Calls all listeners. An error in one is reported as uncaught; it reaches neither the caller nor the other listeners. */
  emit(value: T): void
  clear(): void
}

export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    add(listener) {
      const own = (value: T) => listener(value) // the same function may subscribe twice
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    size: () => listeners.size,
    emit(value) {
      for (const listener of [...listeners]) {
        try {
          listener(value)
        } catch (error) {
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
    clear: () => listeners.clear(),
  }
}
