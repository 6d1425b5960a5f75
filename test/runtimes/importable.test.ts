import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, inject, test } from 'vitest'
import { runCommand } from '../support/command.ts'

const { app } = inject('packed')
const program = join(app, 'importable.mjs')
beforeAll(() => copyFileSync(fileURLToPath(new URL('./importable.mjs', import.meta.url)), program))

const own = { name: 'this Node', program: process.execPath, args: [] }
const runtimes = [own, ...inject('runtimes')].map(runtime => [runtime.name, runtime] as const)

test.for(runtimes)(
  'the browser entry can be imported, set up and started on %s, whatever its localStorage and sessionStorage are',
  async ([, { program: runtime, args }]) => {
    for (const broken of [undefined, 'a getter that throws', 'an object without methods', 'null']) {
      const { code, timedOut, output } = await runCommand(
        runtime,
        [...args, program, ...(broken ? [broken] : [])],
        { cwd: app, timeoutMs: 30_000, env: { NODE_OPTIONS: '' } },
      )
      expect(output.trim().split('\n'), broken).toHaveLength(1) // no warning either
      const { outcomes, globals } = JSON.parse(output)
      expect({ code, timedOut, outcomes }, broken).toEqual({
        code: 0,
        timedOut: false,
        outcomes: {
          // the client is signed out, and there is no page to leave
          default: ['signed-out', 'ERR_CONFIGURATION'],
          indexedDb: ['signed-out', 'ERR_CONFIGURATION'],
          memory: ['signed-out', 'ERR_CONFIGURATION'],
          tabStorage: [expect.stringMatching(/^(signed-out|ERR_STORAGE)$/), 'ERR_CONFIGURATION'],
        },
      })
      expect(globals).toEqual([])
    }
  },
)
