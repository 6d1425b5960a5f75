import { launchE2eBrowser } from '../e2e-browser.ts'
import type { Engine } from './engine.ts'

/** Starts Chromium with Playwright, but with features that normal browsers have and Playwright turns off. */
export const launchChromiumEngine = async (): Promise<Engine> => ({
  name: 'Chromium',
  ...(await launchE2eBrowser({ bfcache: true, popupBlocker: true })),
})
