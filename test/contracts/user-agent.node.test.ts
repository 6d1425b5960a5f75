import { createListeners } from '../../src/core/listeners.ts'
import { loopback } from '../../src/platform/node/loopback.ts'
import { appLink } from '../../src/platform/webview/app-link.ts'
import { userAgentContract } from './user-agent.ts'

const inTerminal = (timeoutMs?: number) => {
  const shown: string[] = []
  return {
    shown,
    agent: loopback({ open: url => void shown.push(url), timeoutMs }),
    deliver: async (url: string) => void (await fetch(url)),
  }
}

userAgentContract('loopback on IPv4', { redirectUri: 'http://127.0.0.1/callback', create: inTerminal })
userAgentContract('loopback on IPv6', { redirectUri: 'http://[::1]/callback', create: inTerminal })

const onPhone = (timeoutMs?: number) => {
  const shown: string[] = []
  const links = createListeners<string>()
  return {
    shown,
    agent: appLink({ open: url => shown.push(url), receive: links.add, timeoutMs }),
    deliver: async (url: string) => links.emit(url),
  }
}

userAgentContract('appLink with a custom scheme', {
  redirectUri: 'com.example.app://callback',
  create: onPhone,
})
userAgentContract('appLink with a claimed https link', {
  redirectUri: 'https://app.example.com/callback',
  create: onPhone,
})
