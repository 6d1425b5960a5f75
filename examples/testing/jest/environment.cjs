const { TestEnvironment } = require('jest-environment-jsdom')

// what browsers have and Jest's jsdom lacks
const MISSING = 'TextEncoder TextDecoder Uint8Array ReadableStream fetch Headers Request Response crypto'

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup()
    for (const name of MISSING.split(' '))
      Object.defineProperty(this.global, name, { value: globalThis[name], writable: true })
  }
}
