import { measureCalls, measureGetAccessToken, measureOwnCost } from '../support/measure-call.ts'

const calls = { measureCalls, measureGetAccessToken, measureOwnCost }

declare global {
  interface Window {
    calls: typeof calls
  }
}

window.calls = calls
