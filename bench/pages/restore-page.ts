/** What the pages of restore.ts have in common. */

const { content = '{}' } = document.querySelector<HTMLMetaElement>('meta[name=config]') ?? {}

export const { apiUrl }: { apiUrl: string } = JSON.parse(content)

/** In ms: from the script's first line, and from its arrival in the page, to the first API call. */
export interface RestoreTimes {
  readonly fromFirstLine: number
  readonly fromArrival: number
  readonly bundleBytes: number
}

const entryOf = (is: (name: string) => boolean) =>
  (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).find(({ name }) => is(name))

/** @param response of the first call. */
export async function finished(response: Response) {
  await response.text()
  // the entry of a call is there some time after its body
  while (!entryOf(name => name === apiUrl)) await new Promise(resolve => setTimeout(resolve, 5))
  const call = entryOf(name => name === apiUrl)
  const script = entryOf(name => name.endsWith('.js'))
  const [mark] = performance.getEntriesByName('first line')
  if (!response.ok || !call || !script || !mark) throw new Error('The call failed, or nothing was measured.')
  window.restored = {
    fromFirstLine: call.startTime - mark.startTime,
    fromArrival: call.startTime - script.responseEnd,
    bundleBytes: script.decodedBodySize,
  }
}

declare global {
  interface Window {
    restored: RestoreTimes | undefined
  }
}
