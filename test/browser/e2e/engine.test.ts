import { expect, test } from 'vitest'
import { launchChromium } from '../../support/chromium.ts'

test('the browser that the run found can be started from Node', async () => {
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    expect(await page.evaluate(() => navigator.userAgent)).toContain('Chrome/')
  } finally {
    await browser.close()
  }
})
