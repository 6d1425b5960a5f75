/** What the pages of storms.ts and storm-latency.ts have in common. */

import { type PageConfig, type Peer, readConfig } from './config.ts'

/** What a call that neither succeeds nor fails is given. */
const CALL_MS = 30_000

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const epoch = () => performance.timeOrigin + performance.now()

export function openStormPage(createPeer: (config: PageConfig) => Peer) {
  const config: PageConfig = readConfig()
  const isCallback = location.pathname === '/callback'
  const peer = createPeer(config)
  const onLoad = Number(new URLSearchParams(location.search).get('calls') ?? 0)

  const bareCall = (url: string) => fetch(url, { headers: { authorization: 'Bearer some-access-token' } })

  const succeeds = (url: string, bare = false): Promise<boolean> => {
    const call = (bare ? bareCall(url) : peer.call(url)).then(
      async response => {
        await response.text()
        return response.ok
      },
      () => false,
    )
    return Promise.race([call, pause(CALL_MS).then(() => false)])
  }

  const bench = {
    peer,
    config,
    succeeds,
    /** Whether calls are answered before they reach the network, where the page can do that. */
    isApiInPage: false,
    /**
     * All at once, from `at` (ms since 1970) on: how many succeeded, and when the last one was answered.
     * @param bare without the library.
     */
    async storm(count: number, url: string, at = 0, bare = false) {
      await pause(at - Date.now())
      const outcomes = await Promise.all(Array.from({ length: count }, () => succeeds(url, bare)))
      return { succeeded: outcomes.filter(Boolean).length, answeredAt: epoch() }
    },
    /** One after the other. */
    async row(count: number, url: string) {
      let succeeded = 0
      for (let call = 0; call < count; call++) if (await succeeds(url)) succeeded++
      return succeeded
    },
    ready: (isCallback ? peer.finishSignIn() : peer.restore(onLoad > 0)).then(() => {
      if (isCallback) history.replaceState(undefined, '', '/')
    }),
    /** The calls that this page made when it was loaded. */
    loaded: Promise.resolve(0),
  }
  if (onLoad > 0)
    bench.loaded = bench.ready
      .then(() => bench.storm(onLoad, config.apiUrl))
      .then(({ succeeded }) => succeeded)
  window.bench = bench
  return bench
}

declare global {
  interface Window {
    bench: ReturnType<typeof openStormPage>
  }
}
