import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { folder as runtimes } from './install.ts'

/** One worker with a Durable Object in memory, `Entries` of on-workerd/entries.mjs, as its binding `ENTRIES`. */
const configuration = (port: number, modules: readonly string[], texts: Readonly<Record<string, string>>) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${modules.map(name => `(name = "${name}", esModule = embed "${name}"),`).join('\n')}],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [(className = "Entries", uniqueKey = "entries", preventEviction = true)],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "ENTRIES", durableObjectNamespace = "Entries"),
    ${Object.entries(texts)
      .map(([name, text]) => `(name = "${name}", text = "${text}"),`)
      .join('\n')}
  ],
);
`

export interface Workerd {
  readonly url: string
  close(): Promise<void>
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'close')
}

/**
 * Starts workerd with one worker and waits until it answers.
 * @param modules the text of each module by its name. The first is the worker.
 * @param texts bindings of the worker.
 */
export async function startWorkerd(
  modules: Readonly<Record<string, string>>,
  texts: Readonly<Record<string, string>> = {},
): Promise<Workerd> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-workerd-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, 'config.capnp'), configuration(port, Object.keys(modules), texts))
  const program = join(runtimes, 'node_modules/.bin/workerd')
  const child = spawn(program, ['serve', join(folder, 'config.capnp')], { stdio: 'inherit' })
  const close = async () => {
    await end(child)
    rmSync(folder, { recursive: true, force: true })
  }
  const isReady = () => {
    if (child.exitCode !== null) throw new Error('workerd ended.')
    return fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
  }
  try {
    await vi.waitUntil(isReady, { timeout: 30_000 })
  } catch (error) {
    await close()
    throw error
  }
  return { url, close }
}

/** The path of a file in the folder on-workerd. */
export const pathOf = (name: string): string => fileURLToPath(new URL(`on-workerd/${name}`, import.meta.url))
