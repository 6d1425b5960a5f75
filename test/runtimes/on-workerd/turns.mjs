// Test clocks are moved by hand, so a test that waits for the next turn of the event loop expects that the store has done
// its work. A Durable Object answers some turns later: here, timers wait for it. (esbuild injects this module.)
const { setTimeout: later, clearTimeout: cancel } = globalThis
const waiting = new Map()
let calls = 0

/** Counts a call to the Durable Object, and returns its result. */
export async function counted(call) {
  calls++
  try {
    return await call
  } finally {
    calls--
  }
}

/** `setTimeout`, except that it runs `work` when the Durable Object has answered every call. */
function setTimeoutAfterCalls(work, ms, ...args) {
  const id = later(function run() {
    if (calls > 0) {
      waiting.set(id, later(run, 0))
      return
    }
    waiting.delete(id)
    work(...args)
  }, ms)
  return id
}

function clearTimeoutAfterCalls(id) {
  cancel(id)
  cancel(waiting.get(id))
  waiting.delete(id)
}

export { clearTimeoutAfterCalls as clearTimeout, setTimeoutAfterCalls as setTimeout }
