import { launchE2eBrowser } from '../e2e-browser.ts'
import type { Engine } from './engine.ts'

export const launchChromiumEngine = async (): Promise<Engine> => ({
  name: 'Chromium',
  ...(await launchE2eBrowser()),
})
