import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { runCommand } from '../support/command.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const { app } = inject('packed')

test('a production build of the sample in docs/inspector.md lacks the inspector, which a build for development has', async () => {
  const cwd = join(app, 'inspector')
  mkdirSync(cwd)
  copyFileSync(fromRoot('examples/inspector/mount.ts'), join(cwd, 'mount.ts'))
  writeFileSync(join(cwd, 'index.html'), '<!doctype html><script type="module" src="/mount.ts"></script>')
  const builtFor = async (environment: string) => {
    const vite = [fromRoot('node_modules/vite/bin/vite.js'), 'build', '--outDir', environment]
    const { code, output } = await runCommand(process.execPath, [...vite, '--logLevel', 'error'], {
      cwd,
      env: { ...process.env, NODE_ENV: environment },
      timeoutMs: 60_000,
    })
    if (code !== 0) throw new Error(`Vite failed:\n${output}`)
    const folder = join(cwd, environment, 'assets')
    return readdirSync(folder)
      .map(file => readFileSync(join(folder, file), 'utf8'))
      .join('\n')
  }
  const production = await builtFor('production')
  expect(production).toContain('https://id.example.com')
  expect(production).not.toContain('latchkey-inspector')
  expect(await builtFor('development')).toContain('latchkey-inspector')
})
