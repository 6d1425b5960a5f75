import { createInterface } from 'node:readline'
import type { SessionRecords } from '../../core/authorization.ts'
import { pause } from '../../core/back-off.ts'
import { parseUrl } from '../../core/destination.ts'
import type { SignInAttempt, UserAgent } from '../../core/ports.ts'
import { watchForSession } from '../../core/session.ts'
import { CallbackError } from '../../errors.ts'
import { memoryKeyValue } from '../../storage/memory.ts'
import { deviceClock } from '../device.ts'
import { type LoopbackOptions, loopback } from './loopback.ts'
import { hasBrowser } from './system-browser.ts'

export interface TerminalOptions extends Pick<LoopbackOptions, 'timeoutMs' | 'listen'> {
  /**
   * Whether to use the device grant (RFC 8628): `true` requires it, `false` never uses it. Default: latchkey uses it if it
   * cannot open a browser and the server offers the grant.
   */
  deviceCode?: boolean
  /**
   * Whether to open a browser. Default true, but false over SSH, in a development container, without a display or without a
   * program that opens it. If neither this nor `deviceCode: true` is set, a sign-in in CI rejects immediately.
   */
  browser?: boolean
  /** Draws a QR code of an address, such as `renderUnicodeCompact` of the package `uqr`. Default: no QR code. */
  qr?: (url: string) => string
}

/** The data that the device grant shows to the user. */
interface Prompt {
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  readonly expiresInSeconds: number
}

/** One attempt of the device grant. */
export type DeviceAttempt = (options: { isOptional: boolean; show(prompt: Prompt): void }) => Pick<
  SignInAttempt,
  'close'
> & {
  obtain(ports: unknown): Promise<boolean>
}

const print = (text: string) => void process.stderr.write(`${text}\n`)

/**
 * Nobody watches in CI, where some runners provide a pseudo-terminal: a sign-in would only wait until its time limit. A
 * program that chooses a way knows better.
 */
const isUnattended = ({ browser, deviceCode }: TerminalOptions) => {
  const { CI } = process.env
  return browser === undefined && deviceCode !== true && CI !== undefined && !/^(|0|false)$/.test(CI)
}

/** The part of a client that shows whether another process has signed in. */
type StorePorts = { readonly records: Pick<SessionRecords, 'read'> }

/** How often to look at the store while the user is in the browser. */
const LOOK_MS = 1000

/** Resolves when another process has signed in. Rejects if `signal` is aborted first. */
async function signedInElsewhere(
  hasNewSession: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<undefined> {
  do await pause(deviceClock, LOOK_MS, signal)
  while (!(await hasNewSession()))
}

/** Reads the callback URL that the user pastes if the browser cannot reach this machine. `undefined` without a terminal. */
function pasted(state: string): { answer: Promise<string>; close(): void } | undefined {
  if (!process.stdin.isTTY) return undefined
  const lines = createInterface({ input: process.stdin, terminal: false })
  print('Or paste here the address that the browser shows at the end, and press Enter:')
  const answer = new Promise<string>(resolve => {
    lines.on('line', line => {
      const text = line.trim()
      const isAnswer = parseUrl(text)?.searchParams.get('state') === state
      if (isAnswer) resolve(text)
      else if (text)
        print('That is not the address at the end of this sign-in. It begins with the redirect URI.')
    })
  })
  return { answer, close: () => lines.close() }
}

/**
 * Signs in from any terminal: with the system's browser if there is one, else with a code for another device if the server
 * offers that, else with an address that the user opens and a callback URL that the user pastes.
 * @param device creates an attempt of the device grant.
 */
export const createTerminal = (device: DeviceAttempt, options: TerminalOptions): UserAgent => ({
  name: 'terminal',
  begin(wanted) {
    const { browser = hasBrowser(), deviceCode, qr, ...rest } = options
    let inner: SignInAttempt | undefined
    let hasNewSession = async () => false
    let known = (_uri: string | Promise<string>) => {}
    const redirectUri = new Promise<string>(resolve => {
      known = resolve
    })
    const byCode = device({
      isOptional: deviceCode !== true,
      show({ userCode, verificationUri, verificationUriComplete }) {
        print(`Open this address on any device:\n${verificationUri}\nand enter this code:\n\n  ${userCode}\n`)
        if (qr) print(qr(verificationUriComplete ?? verificationUri))
      },
    })
    return {
      redirectUri,
      notes: memoryKeyValue(),
      async obtain(ports) {
        if (isUnattended(options))
          throw new CallbackError(
            'Nobody can sign in here: CI is set. Give the program a token of its own, such as by clientCredentials(). If a user is here, set "deviceCode" or "browser" of terminal().',
            'unattended',
          )
        hasNewSession = watchForSession((ports as StorePorts).records)
        await hasNewSession()
        if ((deviceCode ?? !browser) && (await byCode.obtain(ports))) return true
        inner = loopback({ ...rest, ...(browser ? {} : { open: 'print' }) }).begin(wanted)
        const { redirectUri: own } = inner
        const isTaken = await Promise.resolve(own).then(
          () => false,
          () => true,
        )
        if (isTaken && browser && deviceCode === undefined && (await byCode.obtain(ports))) return true
        known(own)
        return false
      },
      async authorize(url, state) {
        const attempt = inner as SignInAttempt
        const answer = attempt.authorize(url, state)
        answer.catch(() => {}) // it may reject after the sign-in has succeeded in another way
        const done = new AbortController()
        const adopted = signedInElsewhere(hasNewSession, done.signal)
        adopted.catch(() => {}) // it rejects when this sign-in has ended
        let paste: ReturnType<typeof pasted>
        try {
          await attempt.redirectUri // by then, loopback() has printed the address
          if (!browser) paste = pasted(state)
          return await Promise.race([answer, adopted, ...(paste ? [paste.answer] : [])])
        } finally {
          paste?.close()
          done.abort()
        }
      },
      close() {
        byCode.close()
        inner?.close()
      },
    }
  },
})
