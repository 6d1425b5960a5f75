import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Builder, By, Capabilities, until, type WebDriver } from 'selenium-webdriver'
import { freePort } from '../free-port.ts'
import type { Engine, EngineProfile, EngineTab } from './engine.ts'

/** The programs of the Debian packages `webkit2gtk-driver` and `xvfb`. */
export interface WebKitPrograms {
  readonly driver: string
  readonly browser: string
  readonly display: string
}

const PATIENCE_MS = 20_000

const ended = async (child: ChildProcess) => {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill()
    await exit
  }
}

/** Starts a virtual display. */
async function openDisplay(program: string): Promise<{ name: string; process: ChildProcess }> {
  const args = ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const [number] = (await once(child.stdio[3] as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { name: `:${String(number).trim()}`, process: child }
}

async function untilItAnswers(url: string): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await fetch(`${url}/status`).catch(() => undefined)
    if (answer) return void (await answer.text())
    if (performance.now() > giveUpAt) throw new Error('WebKitWebDriver does not answer.')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** One session of the driver is one user. It works in one tab at a time, so commands for different tabs run in turn. */
function toProfile(driver: WebDriver): EngineProfile {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work)
    last = next.catch(() => {})
    return next
  }

  const toTab = (handle: string): EngineTab => {
    const here = <T>(work: () => Promise<T>) =>
      inTurn(async () => {
        await driver.switchTo().window(handle)
        return work()
      })
    const find = (selector: string) => driver.wait(until.elementLocated(By.css(selector)), PATIENCE_MS)
    const reachable = (here: <T>(work: () => Promise<T>) => Promise<T>): ReturnType<EngineTab['framed']> => ({
      run: <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
        here(async () => {
          const source = `const done = arguments[1]; new Promise(run => run((${work})(arguments[0])))
            .then(value => done({ value }), error => done({ error: String(error) }))`
          const answer = await driver.executeAsyncScript<{ value: R; error?: string }>(
            source,
            argument ?? null,
          )
          if (answer.error) throw new Error(answer.error)
          return answer.value
        }),
      click: selector => here(async () => (await find(selector)).click()),
    })
    const inFrame = <T>(work: () => Promise<T>) =>
      here(async () => {
        await driver.switchTo().frame(0)
        return work()
      })
    return {
      ...reachable(here),
      goto: url => here(() => driver.get(url)),
      framed: () => reachable(inFrame),
      fill: (selector, text) => here(async () => (await find(selector)).sendKeys(text)),
      reload: () => here(() => driver.navigate().refresh()),
      back: (steps = 1) => here(() => driver.executeScript(`setTimeout(() => history.go(${-steps}))`)),
      async opening(action) {
        const handles = () => inTurn(() => driver.getAllWindowHandles())
        const before = new Set(await handles())
        await action()
        return toTab(
          (await driver.wait(
            async () => (await handles()).find(each => !before.has(each)) ?? false,
            PATIENCE_MS,
            'Nothing was opened.',
          )) as string,
        )
      },
      isClosed: () => inTurn(async () => !(await driver.getAllWindowHandles()).includes(handle)),
      close: () => here(() => driver.close()),
    }
  }

  let isFirst = true
  return {
    async newTab(url) {
      const handle = await inTurn(async () => {
        if (!isFirst) {
          const [open] = await driver.getAllWindowHandles()
          if (open) await driver.switchTo().window(open) // the tab of the last command may be closed
          await driver.switchTo().newWindow('tab')
        }
        isFirst = false
        return driver.getWindowHandle()
      })
      const tab = toTab(handle)
      if (url) await tab.goto(url)
      return tab
    },
    close: () => inTurn(() => driver.quit()),
  }
}

/** Starts WebKitGTK's MiniBrowser with WebDriver, on a separate display. */
export async function launchWebKit(programs: WebKitPrograms): Promise<Engine> {
  const display = await openDisplay(programs.display)
  const port = await freePort()
  const child = spawn(programs.driver, [`--port=${port}`, '--host=127.0.0.1'], {
    env: {
      ...process.env,
      DISPLAY: display.name,
      LIBGL_ALWAYS_SOFTWARE: '1',
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', // it refuses to start as root otherwise
    },
    stdio: 'ignore',
  })
  const url = `http://127.0.0.1:${port}`
  await untilItAnswers(url)
  return {
    name: 'WebKit',
    async newProfile() {
      const capabilities = new Capabilities({
        browserName: 'MiniBrowser',
        'webkitgtk:browserOptions': { binary: programs.browser, args: ['--automation'] },
      })
      const driver = await new Builder().usingServer(url).withCapabilities(capabilities).build()
      await driver.manage().setTimeouts({ script: PATIENCE_MS, pageLoad: PATIENCE_MS })
      return toProfile(driver)
    },
    async close() {
      await ended(child)
      await ended(display.process)
    },
  }
}
