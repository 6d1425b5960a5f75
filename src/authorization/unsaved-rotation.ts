import type { AuthorizationPorts, RefreshResult, SessionWrites } from '../core/authorization.ts'
import { pause } from '../core/back-off.ts'
import { type SessionRecord, sessionOf } from '../core/session.ts'
import { StorageError } from '../errors.ts'
import type { Hold } from './hold.ts'

/** How often to try to store a rotation under the lock, and the pause in between. */
const STORE_TRIES = 3
const STORE_PAUSE_MS = 200
/** The pause between later tries to store it. */
const SAVE_MS = 5000
/** How long to wait for the lock that announces an unsaved rotation. */
const ANNOUNCE_MS = 500

export const unsavedElsewhere = (): StorageError =>
  new StorageError(
    'Another tab or client has refreshed the session, but has not stored the new tokens yet. Free storage space, keep the other tabs open, and try again.',
  )

/**
 * Stores rotations. One that cannot be stored stays in memory, and a second lock tells the other clients about it: the
 * refresh token that they read has been used up.
 */
export function createRotations(
  ports: Pick<AuthorizationPorts, 'records' | 'lock' | 'prefix' | 'clock' | 'changed' | 'adopted'> & {
    readonly writes: SessionWrites
  },
) {
  const { records, writes, lock, clock } = ports
  const name = `${ports.prefix} unsaved`
  let isSaving = false
  let isAnnounced = false

  /** Resolves when this client holds the second lock, or cannot get it. */
  const saveLater = ({ sessionId }: SessionRecord): Promise<void> =>
    new Promise(resolve => {
      if (isSaving) return resolve()
      isSaving = true
      const saving = async () => {
        isAnnounced = true
        resolve()
        while (records.unsaved) {
          await new Promise<void>(run => void clock.after(SAVE_MS, run, true))
          await records.read().catch(() => {})
        }
      }
      const saved = lock.isHeld ? lock.run(name, saving, ANNOUNCE_MS) : saving()
      void saved
        .catch(() => {})
        .then(() => {
          isSaving = isAnnounced = false
          resolve()
          if (sessionOf(records.stored)?.sessionId === sessionId) ports.changed(sessionId)
          else ports.adopted()
        })
    })

  return {
    /** Whether another client has a rotation that it could not store. Needs no entry in the store, where writes may fail. */
    isUnsavedElsewhere: async (): Promise<boolean | undefined> =>
      !records.unsaved && !isAnnounced && (await lock.isHeld?.(name)),

    /** Retries while the lock is held: the next holder would send the refresh token that has been used up. */
    async store(next: SessionRecord, marked: SessionRecord, hold: Hold): Promise<RefreshResult> {
      const overtaken = { type: 'overtaken', unused: next.tokens.refreshToken } as const
      for (let attempt = 1; ; attempt++) {
        try {
          return (await writes.replace(next, marked)) ? { type: 'rotated' } : overtaken
        } catch (error) {
          if (!(error instanceof StorageError)) throw error
          if (records.current?.sessionId !== next.sessionId) return overtaken // the user has signed out here meanwhile
          if (attempt === STORE_TRIES || hold.signal().aborted) {
            writes.keep(next, marked)
            await saveLater(next)
            return { type: 'rotated', unsaved: error }
          }
          await pause(clock, STORE_PAUSE_MS)
        }
      }
    },
  }
}
