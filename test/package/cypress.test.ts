import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { compileSamples } from '../support/docs-samples.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PACKAGE = 'cypress-15.3.0'
const folder = join(root, 'build', PACKAGE)
const types = join(folder, 'package/types')

// Its package has the types, without dependencies. Cypress itself cannot run here: npm does not have its binary.
beforeAll(async () => {
  if (existsSync(join(types, 'index.d.ts'))) return
  mkdirSync(folder, { recursive: true })
  const command = `npm pack --silent ${PACKAGE.replace('-', '@')} && tar -xzf ${PACKAGE}.tgz`
  const { code, output } = await runCommand('sh', ['-c', command], { cwd: folder, timeoutMs: 60_000 })
  if (code !== 0) throw new Error(`The types of Cypress could not be installed: ${output}`)
})

const cypress = `/// <reference path="${join(types, 'index.d.ts')}" />\n`

const comparison = `${cypress}
import type { CyHttpMessages } from '${join(types, 'net-stubbing')}'
import type { CypressCommands, CypressRequest } from 'latchkey/testing'
import type { InterceptedRequest, StaticResponse } from '${join(root, 'test/support/cypress-double.ts')}'

type Real = CyHttpMessages.IncomingHttpRequest
/** Members that only change the answer of a real server, or that a test sets. */
type Left = 'alias' | 'followRedirect' | 'on' | 'redirect' | 'responseTimeout'

export const commands: CypressCommands = cy
export const forLatchkey = (real: Real): CypressRequest => real
export const answer = (real: Real, double: StaticResponse) => real.reply(double)
export const doubled = (double: InterceptedRequest): Omit<Real, Left | 'reply' | 'continue'> => double
export const members: Record<Exclude<keyof Real, Left>, true> =
  {} as Record<keyof InterceptedRequest, true>
`

/** Compiles modules as one program. @returns the errors of each. */
const compile = (...modules: string[]) =>
  compileSamples(
    root,
    modules.map((code, index) => ({ file: `sample-${index}`, line: 1, code, exempt: undefined })),
  )

test("cypressIntercepts(), the tests' double of a request and the sample of docs/testing.md have Cypress' own types", async () => {
  const sample = readFileSync(join(root, 'examples/testing/cypress/signed-in.cy.ts'), 'utf8')
  expect(
    await compile(comparison, cypress + sample, `${comparison}export const not: CypressRequest = cy`),
  ).toEqual([
    [],
    [],
    [expect.stringContaining("is missing the following properties from type 'CypressRequest'")],
  ])
})
