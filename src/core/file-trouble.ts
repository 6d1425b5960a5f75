import { StorageError } from '../errors.ts'

const NO_FOLDER = 'a part of its path is not a folder. Correct the path.'
const DENIED = 'this user is not allowed to. Correct the permissions of its folder, or name another file.'

/** What the user must correct, by the code of the system's error: a retry does not help. */
const toCorrect: Readonly<Record<string, string>> = {
  EROFS: 'its file system is read-only. Name a file in a place that may be written.',
  EACCES: DENIED,
  EPERM: DENIED,
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  ENAMETOOLONG: 'its name is too long. Name a shorter one.',
}

/** What may be different at the next try. */
const toRetry: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space, then try again.',
  EDQUOT: "this user's share of the disk is used up. Free some space, then try again.",
  EMFILE: 'this process has too many open files. Close some, then try again.',
  ENFILE: 'this system has too many open files. Try again.',
}

/**
 * The flags for opening a file that another program may have created: they refuse a symbolic link, and do not wait, as
 * opening a pipe would, because each wait blocks one of Node's few threads for files. Windows has neither flag.
 */
export const safeOpenFlags = ({
  O_NOFOLLOW = 0,
  O_NONBLOCK = 0,
}: {
  readonly O_NOFOLLOW?: number
  readonly O_NONBLOCK?: number
}): number => O_NOFOLLOW | O_NONBLOCK

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code

/** @param what the beginning of the message: the file, and what latchkey could not do with it. */
export function fileTrouble(what: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const code = codeOf(cause)
  const correction = toCorrect[code ?? '']
  const why = correction ?? toRetry[code ?? ''] ?? `the system says ${code ?? 'nothing more'}. Try again.`
  return new StorageError(`${what}: ${why}`, { cause, retryable: !correction })
}

/** The error for a file or folder that latchkey did not create like this. Its creator could read or change the tokens. */
export const refuseFile = (path: string, why: string): StorageError =>
  new StorageError(
    `${path} ${why}: no tokens are read from it or written to it. Remove it, or name another file.`,
    { retryable: false },
  )
