import { startTests, type Task, type VitestRunner } from '@vitest/runner'

/** What became of one test, or of a suite or file whose hooks failed. */
export interface Outcome {
  readonly title: string
  readonly state: string
  readonly error?: string
}

// what test/vitest.config.ts says, as far as the runner needs it
const config = {
  root: '/',
  setupFiles: [],
  sequence: { hooks: 'stack', setupFiles: 'list', seed: 0 },
  maxConcurrency: 1,
  testTimeout: 20_000,
  hookTimeout: 60_000,
  retry: 0,
  tags: [],
} as unknown as VitestRunner['config']

function outcomesOf(task: Task): Outcome[] {
  const { result, mode } = task
  const error = result?.errors?.map(({ message, stack }) => `${message}\n${stack}`).join('\n')
  const own = { title: task.fullTestName ?? task.name, state: result?.state ?? mode, error }
  if (task.type === 'test') return [own]
  return [...(error ? [own] : []), ...task.tasks.flatMap(outcomesOf)]
}

/** @param files imports each scenario file, by its path in test/scenarios. */
export const createRunner =
  (files: Readonly<Record<string, () => Promise<unknown>>>) =>
  /** Runs the tests of one file, except those whose titles are in `without`. */
  async (path: string, without: readonly string[]): Promise<Outcome[]> => {
    const runner: VitestRunner = {
      config,
      importFile: name => files[name]?.(),
      onBeforeRunTask(test) {
        if (without.includes(test.fullTestName)) test.mode = 'skip'
      },
    }
    return (await startTests([path], runner)).flatMap(outcomesOf)
  }
