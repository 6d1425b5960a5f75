import { launchE2eBrowser } from '../e2e-browser.ts'
import type { Engine } from './engine.ts'

/** Chromium by Playwright, with what users have and Playwright turns off. */
export const launchChromiumEngine = async (): Promise<Engine> => ({
  name: 'Chromium',
  ...(await launchE2eBrowser({ bfcache: true, popupBlocker: true })),
})
