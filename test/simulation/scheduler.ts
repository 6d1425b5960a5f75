/** Reproducible random numbers: the same seed gives the same sequence (mulberry32). */
export interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** An integer from `least` to `most`, inclusive. */
  between(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    chance: probability => next() < probability,
    pick: items => items[between(0, items.length - 1)] as (typeof items)[number],
  }
}

interface Task {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** Virtual time: only scheduled tasks run, one at a time. */
export interface Scheduler {
  /** Milliseconds since the start. */
  readonly now: number
  /** The number of tasks that have run. */
  readonly steps: number
  /** Runs `run` after that much virtual time. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void
  /** Runs the tasks that are due up to `until`. After each task, and the promises it settled, calls `afterStep`. */
  run(until: number, afterStep: () => void): Promise<void>
}

/** All pending promise callbacks complete before this resolves. It takes no real time. */
const settlePromises = () => new Promise<void>(resolve => setImmediate(resolve))

export function createScheduler(): Scheduler {
  const heap: Task[] = []
  let now = 0
  let steps = 0
  let order = 0

  const isBefore = (a: Task, b: Task) => a.at < b.at || (a.at === b.at && a.order < b.order)
  const swap = (a: number, b: number) => {
    const kept = heap[a] as Task
    heap[a] = heap[b] as Task
    heap[b] = kept
  }
  const push = (task: Task) => {
    let index = heap.push(task) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(heap[index] as Task, heap[parent] as Task)) return
      swap(index, parent)
      index = parent
    }
  }
  const pop = () => {
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || first === last) return first
    heap[0] = last
    for (let index = 0; ; ) {
      let least = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && isBefore(heap[child] as Task, heap[least] as Task)) least = child
      }
      if (least === index) return first
      swap(index, least)
      index = least
    }
  }

  return {
    get now() {
      return now
    },
    get steps() {
      return steps
    },
    after(ms, run) {
      const task: Task = { at: now + Math.max(0, Math.ceil(ms)), order: order++, run }
      push(task)
      return () => {
        task.run = undefined
      }
    },
    async run(until, afterStep) {
      await settlePromises()
      while (heap[0] && heap[0].at <= until) {
        const task = pop() as Task
        if (!task.run) continue
        now = task.at
        steps++
        task.run()
        await settlePromises()
        afterStep()
      }
      now = until
    },
  }
}
