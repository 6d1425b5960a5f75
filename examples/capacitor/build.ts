// Writes the web build, which `npx cap sync` copies into the apps: `npx tsx examples/capacitor/build.ts`.
import { copyFile, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import config from './capacitor.config.json' with { type: 'json' }

const here = fileURLToPath(new URL('.', import.meta.url))

/** @returns the folder with the whole app, Capacitor's `webDir`. */
export async function buildWeb(): Promise<string> {
  const folder = resolve(here, config.webDir)
  await mkdir(folder, { recursive: true })
  await build({
    entryPoints: [join(here, 'src/main.ts')],
    outdir: folder,
    // needed only here, because latchkey is not installed in its own repository
    alias: { 'latchkey/webview': resolve(here, '../../src/webview.ts') },
    bundle: true,
    minify: true,
    splitting: true, // plugins load their web implementation on first use
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  })
  const files = ['index.html', 'style.css', 'config.json']
  await Promise.all(files.map(file => copyFile(join(here, file), join(folder, file))))
  return folder
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildWeb()
