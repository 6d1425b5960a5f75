import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { findSamples } from '../support/docs-samples.ts'
import { tempFolders } from '../support/temp-folder.ts'
import {
  atRefresh,
  CLIENT_ID,
  cancels,
  cognitoOptions,
  cognitoSignOut,
  expiry,
  ME,
  refreshes,
  type ScriptedServer,
  servers,
  shortLived,
  startScriptedServer,
} from './scripted-server.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const tempFolder = tempFolders()

/** The Node script of README.md as printed, except for this machine's addresses. */
async function readmeScript(issuer: string): Promise<string> {
  const readme = findSamples('README.md', readFileSync(fromRoot('README.md'), 'utf8'))
  const sample = readme.find(({ code }) => code.includes("'latchkey/node'"))?.code ?? ''
  const contents = sample
    .replaceAll('https://id.example.com', issuer)
    .replaceAll('https://api.example.com', issuer)
    .replace("'my-cli'", `'${CLIENT_ID}'`)
    .replace(/(allowedOrigins: .*),\n/, "$1, ...JSON.parse(process.env.MORE ?? '{}'),\n")
  const { outputFiles } = await build({
    stdin: { contents, loader: 'ts', resolveDir: fromRoot('.') },
    alias: { 'latchkey/node': fromRoot('src/node.ts') },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

let server: ScriptedServer
let script = ''
beforeAll(async () => {
  server = await startScriptedServer()
  script = await readmeScript(server.issuer)
})
afterAll(() => server.close())

/** Runs it with a browser that follows every redirect. @param folder where its session is kept. */
async function run(more: object = {}, folder = tempFolder(), args: string[] = []): Promise<string> {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(folder, 'me.mjs'), script)
  writeFileSync(join(folder, 'browse.mjs'), 'await fetch(process.argv[2])')
  const opener = join(bin, 'xdg-open')
  writeFileSync(opener, `#!/bin/sh\nexec '${process.execPath}' '${join(folder, 'browse.mjs')}' "$1"\n`)
  chmodSync(opener, 0o755)
  const env = { PATH: bin, DISPLAY: ':7', XDG_STATE_HOME: folder, HOME: folder, NODE_OPTIONS: '' }
  const { output, timedOut } = await runCommand(process.execPath, [join(folder, 'me.mjs'), ...args], {
    cwd: folder,
    timeoutMs: 20_000,
    env: { ...env, SSH_CONNECTION: '', SSH_TTY: '', MORE: JSON.stringify(more, (_, value) => value ?? null) },
  })
  expect(timedOut).toBe(false)
  return output
}

// Linux opens links with the fake browser
describe.runIf(process.platform === 'linux')("README's script in Node", () => {
  test.for(servers)('at $name [F4.4, F8.2]', async ({ deviation, shows, followed, mended }) => {
    server.play(deviation)
    const said = await run()
    expect(said).toMatch(shows)
    expect(server.count('GET /authorize')).toBeLessThanOrEqual(1)
    if (mended) server.play(mended)
    if (mended || followed) expect(await run(followed?.(server))).toContain(ME)
  })

  test.for(refreshes)('at a server that answers a refresh with $name [F2.1]', async refresh => {
    const folder = tempFolder()
    server.play(shortLived)
    expect(await run({}, folder)).toContain(ME)
    await expiry()
    server.play(atRefresh(refresh))
    expect(await run({}, folder)).toMatch(refresh.shows)
    expect(server.count('GET /authorize')).toBe(0)
    expect(server.count('POST /token')).toBe(1)
    server.play({})
    expect(await run({}, folder)).toContain(ME)
    expect(server.count('GET /authorize')).toBe(refresh.ends ? 1 : 0)
  })

  test('after Cancel says who refused, and the next run signs in [F4.12]', async () => {
    const folder = tempFolder()
    server.play(cancels)
    expect(await run({}, folder)).toMatch(
      /^Not signed in \(authorization_error\): The sign-in was refused: access_denied\. .*Offer sign-in again\.$/m,
    )
    expect(server.count('GET /authorize')).toBe(1)
    server.play({})
    expect(await run({}, folder)).toContain(ME)
  })

  test('signs out at Amazon Cognito, whose sign-out page takes other parameters and is not in the metadata', async () => {
    server.play(cognitoSignOut)
    const folder = tempFolder()
    const options = cognitoOptions(server.issuer, `${server.issuer}/bye`)
    expect(await run(options, folder)).toContain(ME)
    await run(options, folder, ['logout'])
    await expect.poll(() => server.count('GET /bye')).toBe(1)
  })
})
