import { freshClient, measureCalls, measureGetAccessToken, measureOwnCost } from '../support/measure-call.ts'
import { measurePace } from '../support/measure-pace.ts'

const calls = {
  measureCalls,
  measureGetAccessToken,
  measureOwnCost,
  measurePace: async (apiOrigin: string, rounds: number) =>
    measurePace(await freshClient(apiOrigin), apiOrigin, rounds),
}

declare global {
  interface Window {
    calls: typeof calls
  }
}

window.calls = calls
