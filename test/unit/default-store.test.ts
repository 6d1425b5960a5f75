import { expect, test } from 'vitest'
import { createAuthorization } from '../../src/authorization/index.ts'
import { composeClient } from '../../src/client.ts'
import { createReplay } from '../../src/fetch/replay.ts'
import { parseOptions } from '../../src/options.ts'
import { redirect } from '../../src/platform/browser/redirect.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { sha256 } from '../../src/platform/digest.ts'
import { memory } from '../../src/platform/memory.ts'

test('the default store of a page is created before the options are checked, because a database takes longest to open [F7.3]', () => {
  const steps: string[] = []
  composeClient(
    {
      issuer: 'https://id.example.com',
      clientId: 'app',
      redirectUri: '/callback',
      allowedOrigins: ['https://api.example.com'],
    },
    {
      fetch: globalThis.fetch,
      clock: deviceClock,
      store() {
        steps.push('store created')
        return memory()
      },
      userAgent: redirect,
      page: { location: () => 'https://app.example.com/', shown: async () => {}, replaceLocation() {} },
      baseUrl: () => undefined,
      wake: undefined,
    },
    {
      parseOptions(...given) {
        steps.push('options checked')
        return parseOptions(...given)
      },
      ...{ createAuthorization, createReplay, authorizationEnvironment: { hash: sha256 } },
    },
  ).dispose()
  expect(steps).toEqual(['store created', 'options checked'])
})
