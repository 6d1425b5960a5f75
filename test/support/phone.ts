import type { BrowserContext, Page, Response } from 'playwright'

/** A double of a phone for an app's web build: Capacitor's native side, as its scripts see it, and the system's browser. */
export interface Phone {
  /** Starts a new process of the app. */
  launch(url?: string): Promise<Page>
  /** Runs an action that opens the system's browser, and resolves with that browser's page. */
  showing(app: Page, action: () => Promise<void>): Promise<Page>
  /** Waits until the system's browser is redirected to a URL with the app's scheme, which it would pass to the system. */
  nextLink(): Promise<string>
  /** Opens the running app with a URL. */
  openWith(app: Page, url: string): Promise<void>
}

interface NativeBridge {
  readonly phone: { openWith(url: string): void }
}

/**
 * Imitates Capacitor's native-bridge.js for the plugin `App` on Android and iOS. The plugin `Browser` uses its web
 * implementation: the window that it opens is the system's browser.
 */
function nativeSide(launchUrl: string | undefined) {
  type Listener = (opened: { url: string }) => void
  const listeners = new Map<string, Listener>()
  let count = 0
  const nativeCallback = (
    _plugin: string,
    method: string,
    options: { callbackId?: string },
    listener: Listener,
  ) => {
    if (method === 'removeListener') return void listeners.delete(options.callbackId ?? '')
    const callbackId = String(++count)
    listeners.set(callbackId, listener)
    return Promise.resolve(callbackId)
  }
  const methods = [
    { name: 'addListener' },
    { name: 'removeListener' },
    { name: 'getLaunchUrl', rtype: 'promise' },
  ]
  Object.assign(window, {
    CapacitorCustomPlatform: { name: 'phone' },
    Capacitor: {
      PluginHeaders: [{ name: 'App', methods }],
      nativeCallback,
      nativePromise: async () => launchUrl && { url: launchUrl },
    },
    phone: {
      openWith(url: string) {
        for (const listener of [...listeners.values()]) listener({ url })
      },
    },
  })
}

/** @param scheme the app's scheme with its colon. */
export function phone(context: BrowserContext, appUrl: string, scheme: string): Phone {
  return {
    async launch(url) {
      const page = await context.newPage()
      await page.addInitScript(nativeSide, url)
      await page.goto(appUrl)
      return page
    },
    async showing(app, action) {
      const [browser] = await Promise.all([app.waitForEvent('popup'), action()])
      return browser
    },
    async nextLink() {
      const isLink = (response: Response) => response.headers().location?.startsWith(scheme) ?? false
      const response = await context.waitForEvent('response', isLink)
      return response.headers().location ?? ''
    },
    openWith: (app, url) =>
      app.evaluate(link => (window as unknown as NativeBridge).phone.openWith(link), url),
  }
}
