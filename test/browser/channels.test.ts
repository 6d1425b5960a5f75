import { broadcastChannel } from '../../src/storage/channel.ts'
import { channelContract } from '../contracts/channel.ts'

channelContract('broadcastChannel', {
  open: broadcastChannel,
  postForeign(name, message) {
    const channel = new BroadcastChannel(name)
    channel.postMessage(message)
    setTimeout(() => channel.close(), 2000)
  },
})
