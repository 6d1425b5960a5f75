import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { codeOf, refuseFile, safeOpenFlags } from '../core/file-trouble.ts'

/** Larger than any owner's text. */
const MOST_BYTES = 2048

/** The numbered files of one lock. Every method is synchronous, and throws what the file system throws. */
export interface LockFolder {
  readonly path: string
  /** Creates the folder. Refuses a link, a file or another user's folder in its place. */
  prepare(): void
  /** The highest number, and the names of the files that are no longer needed. */
  list(): { readonly highest: number; readonly before: readonly string[] }
  /** The text of a lock file. `undefined` for anything that latchkey does not create: a link, a folder, a pipe. */
  read(number: number): string | undefined
  /** Only one process can create a file. @throws EEXIST to all others */
  create(number: number, text: string): void
  /** Changes the text of a file, in one step: no process reads half of it. */
  rewrite(number: number, text: string): void
  /** Never throws: a leftover file does no harm. */
  remove(name: string): void
}

/** Recursive only if necessary: on a read-only file system, the recursive call reports just ENOENT. */
const makeFolder = (path: string) => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') mkdirSync(path, { recursive: true, mode: 0o700 })
    else if (codeOf(error) !== 'EEXIST') throw error // another process was faster
  }
}

const removeIfThere = (path: string) => {
  try {
    unlinkSync(path)
  } catch {}
}

/** @param folder the folder of all locks of a store; `name` is the folder of one lock in it. */
export function lockFolder(folder: string, name: string): LockFolder {
  const directory = join(folder, encodeURIComponent(name))
  const pathOf = (number: number) => join(directory, String(number))

  return {
    path: directory,
    prepare() {
      const user = process.getuid?.()
      for (const path of [folder, directory]) {
        let stats = lstatSync(path, { throwIfNoEntry: false })
        if (!stats) {
          makeFolder(path)
          stats = lstatSync(path)
        }
        if (stats.isSymbolicLink()) throw refuseFile(path, 'is a symbolic link')
        if (!stats.isDirectory()) throw refuseFile(path, 'is not a folder')
        if (user !== undefined && stats.uid !== user) throw refuseFile(path, 'belongs to another user')
      }
    },
    list() {
      const found = readdirSync(directory).flatMap(name => {
        const [, number] = /^([1-9]\d{0,14})(?:\.[\w-]+\.free)?$/.exec(name) ?? []
        return number ? [{ name, number: Number(number) }] : []
      })
      const highest = found.reduce(
        (most, { name, number }) => (name.includes('.') ? most : Math.max(most, number)),
        0,
      )
      // unfinished rewrites included
      return { highest, before: found.filter(({ number }) => number < highest - 1).map(({ name }) => name) }
    },
    read(number) {
      let handle: number
      try {
        handle = openSync(pathOf(number), constants.O_RDONLY | safeOpenFlags(constants))
      } catch (error) {
        if (['ELOOP', 'EMLINK', 'ENXIO', 'EOPNOTSUPP', 'EISDIR'].includes(codeOf(error) ?? ''))
          return undefined
        throw error
      }
      try {
        if (!fstatSync(handle).isFile()) return undefined
        const bytes = Buffer.alloc(MOST_BYTES)
        return bytes.toString('utf8', 0, readSync(handle, bytes))
      } finally {
        closeSync(handle)
      }
    },
    create(number, text) {
      const handle = openSync(pathOf(number), 'wx', 0o600)
      try {
        writeSync(handle, text)
      } catch (error) {
        removeIfThere(pathOf(number))
        throw error
      } finally {
        closeSync(handle)
      }
    },
    rewrite(number, text) {
      const path = pathOf(number)
      const beside = `${path}.${randomUUID()}.free`
      try {
        writeFileSync(beside, text, { flag: 'wx', mode: 0o600 })
        renameSync(beside, path)
      } catch {
        removeIfThere(beside)
        // on a full disk: an empty file counts as a lock that its owner never named
        const handle = openSync(path, constants.O_WRONLY | safeOpenFlags(constants))
        try {
          ftruncateSync(handle)
        } finally {
          closeSync(handle)
        }
      }
    },
    remove: name => removeIfThere(join(directory, name)),
  }
}
