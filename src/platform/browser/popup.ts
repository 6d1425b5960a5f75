import type { UserAgent } from '../../core/ports.ts'
import { CallbackError, ConfigurationError } from '../../errors.ts'
import { deviceClock } from '../device.ts'
import { browserPage, relayChannel } from './page.ts'

export interface PopupOptions {
  /** Default 480. */
  width?: number
  /** Default 640. */
  height?: number
  /** How long the user may take, in milliseconds. Default 5 minutes. */
  timeoutMs?: number
}

/** How often to check whether the window is still open. */
const CHECK_MS = 500
/**
 * Signs in in a window of its own, while this page stays. Call `signIn()` straight from a click, or the browser blocks
 * the window. The page at the redirect URI, in the window, only has to call `client.start()`.
 */
export const popup = (options: PopupOptions = {}): UserAgent => ({
  name: 'popup',
  begin(redirectUri) {
    const page = browserPage()
    if (!page) throw new ConfigurationError('popup() needs a page to open a window from.')
    const { width = 480, height = 640, timeoutMs = 300_000 } = options
    const left = Math.max(0, screenX + (outerWidth - width) / 2)
    const top = Math.max(0, screenY + (outerHeight - height) / 2)
    // opened empty and at once, while the click is still being handled
    const opened = open('', '_blank', `popup,width=${width},height=${height},left=${left},top=${top}`)
    if (!opened) {
      throw new CallbackError(
        'The browser blocked the sign-in window. Call signIn() straight from a click, or use redirect().',
        'popup_blocked',
      )
    }
    // the provider's page must not reach this one; the answer comes by a channel. What it costs: after a time-out the
    // window cannot be closed from here while it shows that page
    opened.opener = null
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: (url, state) =>
        new Promise((resolve, reject) => {
          const channel = relayChannel(state)
          const giveUpAt = deviceClock.now() + timeoutMs
          let gone = 0
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
            // a window that was severed from us (Cross-Origin-Opener-Policy) also counts as closed, but it has the focus
            gone = opened.closed && document.hasFocus() ? gone + 1 : 0
            if (gone < 3 && deviceClock.now() < giveUpAt) {
              cancel = deviceClock.after(CHECK_MS, check)
              return
            }
            settle()
            const why = gone ? 'The sign-in window was closed' : `No answer came within ${timeoutMs / 1000} s`
            reject(new CallbackError(`${why}.`, 'cancelled'))
          }
          check()
          opened.location.href = url
        }),
      close: () => opened.close(),
    }
  },
})
