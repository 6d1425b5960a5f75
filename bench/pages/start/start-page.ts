/** What the pages of cost.ts and first-load.ts have in common: a library starts, and its app calls the API once. */
import { type PageConfig, type Peer, readConfig } from '../config.ts'

/** In ms since the navigation. */
export interface StartTimes {
  /** Of the bundle. */
  readonly firstLine: number
  /** The first API call leaves the page. */
  readonly called: number
  /** The first API call's body is there. */
  readonly answered: number
  /** What the page loaded before, other than its scripts. */
  readonly requests: number
}

/** What a page that never comes to its answer is given. */
const START_MS = 30_000

const seen = () => performance.getEntriesByType('resource') as PerformanceResourceTiming[]

async function firstCall(peer: Peer, apiUrl: string): Promise<StartTimes> {
  await peer.restore(true)
  const response = await peer.call(apiUrl)
  await response.text()
  const answered = performance.now()
  // the entry of a call is there some time after its body
  while (!seen().some(({ name }) => name === apiUrl)) await new Promise(resolve => setTimeout(resolve, 5))
  const call = seen().find(({ name }) => name === apiUrl)
  const [firstLine] = performance.getEntriesByName('first line')
  if (!response.ok || !call || !firstLine) throw new Error('The call failed, or nothing was measured.')
  const isScript = ({ name }: PerformanceResourceTiming) => name.endsWith('.js')
  return {
    firstLine: firstLine.startTime,
    called: call.startTime,
    answered,
    requests: seen().filter(entry => entry.startTime < call.startTime && !isScript(entry)).length,
  }
}

export function openStartPage(createPeer: (config: PageConfig) => Peer) {
  const config: PageConfig = readConfig()
  const peer = createPeer(config)
  if (location.pathname === '/callback') {
    void peer.finishSignIn().then(() => {
      document.title = 'signed in'
    })
  } else if (location.pathname === '/sign-in') void peer.signIn()
  else {
    const tooLate = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error('The first call was not answered in time.')), START_MS),
    )
    window.started = Promise.race([firstCall(peer, config.apiUrl), tooLate])
  }
}

declare global {
  interface Window {
    started: Promise<StartTimes> | undefined
    /** By age.ts, in the same page. */
    aged: Promise<void> | undefined
  }
}
