import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { nodeFolder } from './install.ts'

const { tarball, folder } = inject('packed')
const tempFolder = tempFolders()

test('on the lowest Node that it supports, npm installs the package with --engine-strict, and it runs [F4.7]', async () => {
  const { engines } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const place = tempFolder()
  writeFileSync(join(place, 'package.json'), '{ "private": true }')
  // npm's own script finds its Node by the path
  const env = { PATH: `${nodeFolder('node-20')}${delimiter}${process.env.PATH}`, NODE_OPTIONS: '' }
  const npm = async (...args: string[]) => {
    const { code, output } = await runCommand('npm', args, { cwd: place, timeoutMs: 50_000, env })
    expect({ code, output }).toMatchObject({ code: 0 })
    return output
  }
  expect(JSON.parse(await npm('version', '--json')).node).toBe(`${engines.node.replace('>=', '')}.0`)
  const said = await npm('install', '--engine-strict', '--prefer-offline', '--no-audit', '--no-fund', tarball)
  expect(said).not.toMatch(/EBADENGINE|deprecated/)
  const work = `
    const { createClient } = await import('latchkey/node')
    const client = createClient({ issuer: 'https://id.example.com', clientId: 'cli', allowedOrigins: [] })
    await client.start()
    console.log(process.version, client.session.status)`
  const { output } = await runCommand('node', ['--input-type=module', '-e', work], {
    cwd: place,
    timeoutMs: 30_000,
    env: { ...env, HOME: place, XDG_STATE_HOME: place },
  })
  expect(output).toBe('v20.19.0 signed-out\n')
})
