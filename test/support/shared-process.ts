import { afterAll, expect } from 'vitest'

/**
 * State that a library keeps for all its copies, which nobody else reads, and a class that Playwright adds to a Node that
 * lacks it.
 */
const OWN_STATE = /^(__|@|URLPattern$)/

/** What every file of a process sees. Reading a lazy global defines it, so that both readings find the same. */
const shared = () => ({
  globals: new Map(
    Object.getOwnPropertyNames(globalThis)
      .filter(name => !OWN_STATE.test(name))
      .map(name => [name, (globalThis as Record<string, unknown>)[name]]),
  ),
  env: new Map(Object.entries(process.env)),
  listeners: new Map(process.eventNames().map(name => [String(name), process.listenerCount(name)])),
})

const differences = (before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter(
    name => !Object.is(before.get(name), after.get(name)),
  )

const before = shared()

// A file that changes these makes others fail, and which ones depends on their order.
afterAll(() => {
  const after = shared()
  const left = {
    globals: differences(before.globals, after.globals),
    env: differences(before.env, after.env),
    listeners: differences(before.listeners, after.listeners),
  }
  expect(left, 'what this file leaves to the next one, see the project "alone"').toEqual({
    globals: [],
    env: [],
    listeners: [],
  })
})
