import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Target {
  readonly types: string
  readonly default: string
}

/** The code entries of the package in `folder`: the import names, and the files behind them. */
export function readEntries(
  folder: string,
): { readonly name: string; readonly types: string; readonly file: string }[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string
    exports: Record<string, string | Target>
  }
  return Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === 'string'
      ? []
      : [
          {
            name: manifest.name + path.slice(1),
            types: join(folder, target.types),
            file: join(folder, target.default),
          },
        ],
  )
}

/** Makes an installed package visible in the app, as `npm install` would. */
export function link(app: string, name: string): void {
  const place = join(app, 'node_modules', name)
  mkdirSync(dirname(place), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), place, 'junction')
}
