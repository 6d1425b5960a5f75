import { broadcastChannel, localChannels } from '../../src/storage/channel.ts'
import { channelContract } from './channel.ts'

channelContract('broadcastChannel', {
  open: broadcastChannel,
  postForeign(name, message) {
    const channel = new BroadcastChannel(name)
    channel.postMessage(message)
    setTimeout(() => channel.close(), 2000)
  },
})

const open = localChannels()
channelContract('localChannels', {
  open,
  postForeign() {}, // only latchkey's own code can post to it
})
