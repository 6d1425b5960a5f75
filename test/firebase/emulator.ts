import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { ensureFirebaseTools, firebaseTools } from './install.ts'

/** Firebase's Auth emulator in a separate process. */
export interface FirebaseEmulator {
  readonly url: string
  readonly projectId: string
  /** Calls the emulator as the project's owner, which no client can do. */
  asOwner(method: string, path: string, body?: object): Promise<void>
  close(): Promise<void>
}

/** Begins with `demo-`, so that no credentials are needed and no Firebase service is called. */
const projectId = 'demo-latchkey'

/** Installs the emulator if it is missing, and starts it on free ports. */
export async function startFirebaseEmulator(): Promise<FirebaseEmulator> {
  await ensureFirebaseTools()
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-firebase-'))
  const at = async () => ({ host: '127.0.0.1', port: await freePort() })
  const [auth, hub, logging] = [await at(), await at(), await at()]
  writeFileSync(
    join(folder, 'firebase.json'),
    JSON.stringify({ emulators: { auth, hub, logging, ui: { enabled: false } } }),
  )
  const own = { HOME: folder, XDG_CONFIG_HOME: folder, TMPDIR: folder, CI: '1' }
  const child = spawn(
    process.execPath,
    [firebaseTools, 'emulators:start', '--only', 'auth', '--project', projectId],
    { cwd: folder, env: { ...process.env, ...own }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  const isReady = new Promise<void>((resolve, reject) => {
    const hear = (text: string) => {
      said += text
      if (said.includes('All emulators ready')) resolve()
    }
    child.stdout.setEncoding('utf8').on('data', hear)
    child.stderr.setEncoding('utf8').on('data', hear)
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`The Firebase emulator ended: ${said}`)))
  })
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  await isReady.catch(async error => {
    await close()
    throw error
  })
  const url = `http://127.0.0.1:${auth.port}`
  return {
    url,
    projectId,
    async asOwner(method, path, body) {
      const answer = await fetch(`${url}/${path}`, {
        method,
        headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
      if (!answer.ok) throw new Error(`The emulator answered ${answer.status} to ${method} ${path}`)
    },
    close,
  }
}
