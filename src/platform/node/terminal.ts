import { createInterface } from 'node:readline'
import type { SignInAttempt, UserAgent } from '../../core/ports.ts'
import { CallbackError } from '../../errors.ts'
import { type LoopbackOptions, loopback } from './loopback.ts'
import { hasBrowser } from './system-browser.ts'

export interface TerminalOptions extends Pick<LoopbackOptions, 'timeoutMs' | 'listen'> {
  /**
   * Whether to use the device grant (RFC 8628): `true` asks for it, `false` never uses it. Default: where no browser can be
   * opened and the server offers it.
   */
  deviceCode?: boolean
  /** Whether to open a browser. Default: where there is one, which is not over SSH, in a container or without a display. */
  browser?: boolean
  /** Draws a QR code of an address, such as `renderUnicodeCompact` of the package `uqr`. Default: none is shown. */
  qr?: (url: string) => string
}

/** What the device grant shows. */
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

/** Nobody looks at a terminal in CI: to wait there would only end at a time limit. */
const isUnattended = () => {
  const { CI } = process.env
  return CI !== undefined && !/^(|0|false)$/.test(CI) && !process.stdin.isTTY
}

/** What the user pastes: the address that the browser shows at the end, where it cannot reach this machine. */
function pasted(state: string): { answer: Promise<string>; close(): void } | undefined {
  if (!process.stdin.isTTY) return undefined
  const lines = createInterface({ input: process.stdin, terminal: false })
  print('Or paste here the address that the browser shows at the end, and press Enter:')
  const answer = new Promise<string>(resolve => {
    lines.on('line', line => {
      const text = line.trim()
      const isAnswer = URL.canParse(text) && new URL(text).searchParams.get('state') === state
      if (isAnswer) resolve(text)
      else if (text)
        print('That is not the address at the end of this sign-in. It begins with the redirect URI.')
    })
  })
  return { answer, close: () => lines.close() }
}

/**
 * Signs in from a terminal, wherever it is: with the system's browser where there is one, with a code for another device where
 * the server offers that, and with an address to open and to paste back in all other places.
 * @param device makes an attempt of the device grant.
 */
export const createTerminal = (device: DeviceAttempt, options: TerminalOptions): UserAgent => ({
  name: 'terminal',
  begin(wanted) {
    const { browser = hasBrowser(), deviceCode, qr, ...rest } = options
    let inner: SignInAttempt | undefined
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
      async obtain(ports) {
        if (isUnattended())
          throw new CallbackError(
            'Nobody can sign in here: CI is set and there is no terminal. Give the program a token of its own, such as by clientCredentials().',
            'unattended',
          )
        if ((deviceCode ?? !browser) && (await byCode.obtain(ports))) return true
        inner = loopback({ ...rest, ...(browser ? {} : { open: 'print' }) }).begin(wanted)
        known(inner.redirectUri)
        return false
      },
      async authorize(url, state) {
        const answer = (inner as SignInAttempt).authorize(url, state)
        if (browser) return answer
        answer.catch(() => {}) // it may fail after the user has pasted
        const paste = pasted(state)
        try {
          return await Promise.race([answer, ...(paste ? [paste.answer] : [])])
        } finally {
          paste?.close()
        }
      },
      close() {
        byCode.close()
        inner?.close()
      },
    }
  },
})
