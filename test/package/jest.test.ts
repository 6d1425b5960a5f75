import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { link } from './installed.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the Jest samples in the docs pass in CommonJS and in jsdom, also over the whole client, with the package as users get it [F4.6]', async () => {
  const { app } = inject('packed')
  const folder = join(app, 'jest')
  cpSync(join(root, 'examples/testing/jest'), folder, { recursive: true })
  const environments = ['jest-environment-jsdom']
  for (const name of ['babel-jest', '@babel/plugin-transform-modules-commonjs', ...environments])
    link(app, name)
  const jest = join(root, 'node_modules/jest/bin/jest.js')
  const options = ['--rootDir', folder, '--config', join(folder, 'jest.config.cjs')]
  const { code, output } = await runCommand(process.execPath, [jest, ...options], {
    cwd: folder,
    timeoutMs: 100_000,
  })
  expect(output).toContain('Tests:       2 passed, 2 total')
  expect(code).toBe(0)
}, 120_000)
