import { expect, test } from 'vitest'
import type { ExtensionHooks } from '../../src/core/extension.ts'
import type { Store, Wake } from '../../src/core/ports.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('dispose() leaves no store, channel, extension, timer or listener open, and start() reopens them [F5.7]', async () => {
  const here = world()
  const open = { channels: 0, wakes: 0 }
  const closed = { store: 0, extension: 0 }
  const store: Store = {
    ...here.store,
    channel(name) {
      open.channels++
      const channel = here.store.channel(name)
      return {
        ...channel,
        close() {
          open.channels--
          channel.close()
        },
      }
    },
    close: () => void closed.store++,
  }
  const wake: Wake = {
    listen() {
      open.wakes++
      return () => void open.wakes--
    },
  }
  const extension = (): ExtensionHooks => ({ close: () => void closed.extension++ })
  const client = await here.signedIn({ store, wake, extensions: [extension] })
  for (const round of [1, 2]) {
    await client.start()
    expect(open).toEqual({ channels: 1, wakes: 1 })
    client.dispose()
    expect(open).toEqual({ channels: 0, wakes: 0 })
    expect(closed).toEqual({ store: round, extension: round })
    expect(here.clock.waiting).toBe(0)
  }
})
