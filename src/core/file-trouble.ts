import { StorageError } from '../errors.ts'

const NO_FOLDER = 'a part of its path is not a folder. Correct the path.'
const DENIED = 'this user is not allowed to. Correct the permissions of its folder, or name another file.'

/** By the code of the system's error: what is wrong, and what to do about it. */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space, then try again.',
  EDQUOT: "this user's share of the disk is used up. Free some space, then try again.",
  EROFS: 'its file system is read-only. Name a file in a place that may be written.',
  EACCES: DENIED,
  EPERM: DENIED,
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  ENAMETOOLONG: 'its name is too long. Name a shorter one.',
  EMFILE: 'this process has too many open files. Close some, then try again.',
  ENFILE: 'this system has too many open files. Try again.',
}

/**
 * The flags to open a file of somebody else's making with: never a link's target, and never waiting, as for a pipe, because
 * each wait takes one of the few threads for files. Windows has neither flag.
 */
export const carefully = ({
  O_NOFOLLOW = 0,
  O_NONBLOCK = 0,
}: {
  readonly O_NOFOLLOW?: number
  readonly O_NONBLOCK?: number
}): number => O_NOFOLLOW | O_NONBLOCK

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code

/** @param what a sentence without its end: which file could not be used, and for what. */
export function fileTrouble(what: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const code = codeOf(cause)
  const why = advice[code ?? ''] ?? `the system says ${code ?? 'nothing more'}. Try again.`
  return new StorageError(`${what}: ${why}`, { cause })
}

/** A file or folder that is not as latchkey makes it. Whoever put it there may read or change what is kept. */
export const refuseFile = (path: string, why: string): StorageError =>
  new StorageError(
    `${path} ${why}: no tokens are read from it or written to it. Remove it, or name another file.`,
  )
