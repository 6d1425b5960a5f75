import { afterEach, describe, expect, test } from 'vitest'
import type { Channel, News } from '../../src/core/ports.ts'

export interface ChannelSubject {
  /** One end of the channel with that name. */
  open(name: string): Channel
  /** Sends a foreign message over the channel with that name. */
  postForeign(name: string, message: unknown): void
}

const PATIENCE = { timeout: 10_000 }

const ended: News = { type: 'session-ended', sessionId: 'lk.test.1', reason: 'signed_out' }
const changed: News = { type: 'session-changed' }

/** Requirements for every Channel between realms. */
export function channelContract(name: string, { open, postForeign }: ChannelSubject): void {
  describe(`${name} as a Channel`, () => {
    const channels: Channel[] = []
    let channelName = ''

    /** One end, and every message that it receives. */
    const end = () => {
      channelName ||= `latchkey test ${crypto.randomUUID()}`
      const channel = open(channelName)
      const heard: News[] = []
      channels.push(channel)
      channel.listen(news => heard.push(news))
      return { channel, heard }
    }

    afterEach(() => {
      channelName = ''
      for (const channel of channels.splice(0)) channel.close()
    })

    test('the other ends receive messages in order; the sender receives none', async () => {
      const [sender, one, other] = [end(), end(), end()]
      sender.channel.post(changed)
      sender.channel.post(ended)
      await expect.poll(() => one.heard, PATIENCE).toEqual([changed, ended])
      await expect.poll(() => other.heard, PATIENCE).toEqual([changed, ended])
      expect(sender.heard).toEqual([])
    })

    test('channels of another name receive nothing', async () => {
      const [sender, one] = [end(), end()]
      const stranger = open(`${channelName} elsewhere`)
      channels.push(stranger)
      const heard: News[] = []
      stranger.listen(news => heard.push(news))
      sender.channel.post(changed)
      await expect.poll(() => one.heard, PATIENCE).toEqual([changed])
      expect(heard).toEqual([])
    })

    test('a closed end receives nothing', async () => {
      const [sender, one, other] = [end(), end(), end()]
      one.channel.close()
      sender.channel.post(changed)
      await expect.poll(() => other.heard, PATIENCE).toEqual([changed])
      expect(one.heard).toEqual([])
    })

    test('a listener that was removed receives nothing', async () => {
      const [sender, one] = [end(), end()]
      const heard: News[] = []
      one.channel.listen(news => heard.push(news))()
      sender.channel.post(changed)
      await expect.poll(() => one.heard, PATIENCE).toEqual([changed])
      expect(heard).toEqual([])
    })

    test('foreign messages are ignored', async () => {
      const [sender, one] = [end(), end()]
      const foreign = [
        null,
        undefined,
        0,
        'session-changed',
        [],
        {},
        { type: 'other' },
        { type: null },
        { type: { toString: null, valueOf: null } },
      ]
      for (const message of foreign) postForeign(channelName, message)
      sender.channel.post(ended)
      await expect.poll(() => one.heard, PATIENCE).toEqual([ended])
    })

    test('closing twice and posting afterwards does no harm', () => {
      const { channel } = end()
      channel.close()
      expect(() => {
        channel.close()
        channel.post(changed)
      }).not.toThrow()
    })
  })
}
