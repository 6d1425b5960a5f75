import { expect, test } from 'vitest'
import { createAuthorization } from '../../src/authorization/index.ts'
import { composeClient } from '../../src/client.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { createReplay } from '../../src/fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../../src/options.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { sha256 } from '../../src/platform/digest.ts'
import { memory } from '../../src/platform/memory.ts'
import { createStrictAs } from '../support/strict-as.ts'
import { agreeable } from '../support/world.ts'

const good: ClientOptions = {
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: 'https://app.example.com/callback',
  allowedOrigins: ['https://api.example.com'],
}

/** Composes a client, and records when its default store is created and closed, and when its options are checked. */
function compose(options: ClientOptions) {
  const steps: string[] = []
  const userAgent = () => agreeable(createStrictAs({ clock: deviceClock }))
  const compose = () =>
    composeClient(
      options,
      {
        fetch: globalThis.fetch,
        clock: deviceClock,
        store() {
          steps.push('store created')
          return { ...memory(), close: () => steps.push('store closed') }
        },
        userAgent,
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
    )
  return { steps, compose }
}

test('the default store of a page is created before the options are checked, because a database takes longest to open [F7.3]', () => {
  const { steps, compose: create } = compose(good)
  const client = create()
  expect(steps).toEqual(['store created', 'options checked'])
  client.dispose()
  expect(steps).toEqual(['store created', 'options checked', 'store closed'])
})

test('a wrong option closes the default store again', () => {
  const { steps, compose: create } = compose({ ...good, allowedOrigins: ['nonsense'] })
  expect(create).toThrow(ConfigurationError)
  expect(steps).toEqual(['store created', 'options checked', 'store closed'])
})

test("a wrong option does not close the app's own store, which another client may use", () => {
  const steps: string[] = []
  const store = { ...memory(), close: () => void steps.push('store closed') }
  const { steps: others, compose: create } = compose({ ...good, allowedOrigins: ['nonsense'], store })
  expect(create).toThrow(ConfigurationError)
  expect([...steps, ...others]).toEqual(['options checked'])
})
