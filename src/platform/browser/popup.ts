import { parseCallback } from '../../core/callback.ts'
import type { UserAgent } from '../../core/ports.ts'
import { CallbackError, ConfigurationError } from '../../errors.ts'
import { deviceClock } from '../device.ts'
import { isEmbedded, relayChannel } from './frame.ts'
import { browserPage } from './page.ts'

export interface PopupOptions {
  /** The width of the window in CSS pixels. Default 480. */
  width?: number
  /** The height of the window in CSS pixels. Default 640. */
  height?: number
  /** How many milliseconds the user may take. Default 300,000 (5 minutes). */
  timeoutMs?: number
}

/** How often to check whether the window is still open. */
const CHECK_MS = 500
/** A window that looks closed in so many checks is. */
const CHECKS = 3

const CUT_OFF =
  'The sign-in window was closed, or the provider cut it off from this frame (Cross-Origin-Opener-Policy). Sign in from a page outside a frame.'

/** The answer to our request, as soon as the window shows it: no channel leads from there into a frame of another site. */
function answerIn(opened: Window, state: string): string | undefined {
  try {
    const { href } = opened.location
    return parseCallback(href)?.state === state ? href : undefined
  } catch {
    return undefined // it shows a page of another origin
  }
}

/**
 * Signs in with a popup window, while this page stays open. Call `signIn()` directly in a click handler, or the browser
 * blocks the window. The page at the redirect URI, which loads in the popup, only has to call `client.start()`.
 */
export const popup = (options: PopupOptions = {}): UserAgent => ({
  name: 'popup',
  begin(redirectUri) {
    const page = browserPage()
    if (!page) throw new ConfigurationError('popup() needs a page to open a window from.')
    const { width = 480, height = 640, timeoutMs = 300_000 } = options
    const left = Math.max(0, screenX + (outerWidth - width) / 2)
    const top = Math.max(0, screenY + (outerHeight - height) / 2)
    // open it empty and immediately, while the browser still handles the click
    const opened = open('', '_blank', `popup,width=${width},height=${height},left=${left},top=${top}`)
    if (!opened) {
      throw new CallbackError(
        'The browser blocked the sign-in window. Call signIn() straight from a click, or use redirect().',
        'popup_blocked',
      )
    }
    // the provider's page must not reach this page, nor the one around it; the callback URL comes through a channel. The price:
    // after a time-out, this page cannot close the window while it shows the provider's page
    opened.opener = null
    const isFramed = isEmbedded()
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: (url, state) =>
        new Promise((resolve, reject) => {
          const channel = relayChannel(state)
          const giveUpAt = deviceClock.now() + timeoutMs
          let closedChecks = 0
          let cancel = () => {}
          const settle = () => {
            cancel()
            channel.close()
          }
          channel.onmessage = ({ data }: MessageEvent<{ url?: unknown }>) => {
            if (typeof data?.url !== 'string') return
            channel.postMessage('taken')
            settle()
            resolve(data.url)
          }
          const check = () => {
            const answer = isFramed && answerIn(opened, state)
            if (answer) {
              settle()
              opened.close()
              return resolve(answer)
            }
            // Cross-Origin-Opener-Policy also makes a window look closed, but then that window has the focus, and the channel
            // still brings its answer, unless this page is in a frame
            const hasFocus = document.hasFocus()
            closedChecks = opened.closed && (isFramed || hasFocus) ? closedChecks + 1 : 0
            if (closedChecks < CHECKS && deviceClock.now() < giveUpAt) {
              cancel = deviceClock.after(CHECK_MS, check)
              return
            }
            settle()
            if (closedChecks && !hasFocus) return reject(new CallbackError(CUT_OFF, 'popup_severed'))
            const why = closedChecks
              ? 'The sign-in window was closed'
              : `No answer came within ${timeoutMs / 1000} s`
            reject(new CallbackError(`${why}. Offer sign-in again.`, 'cancelled'))
          }
          check()
          opened.location.href = url
        }),
      close: () => opened.close(),
    }
  },
})
