import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../../src/', import.meta.url))
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => [file, readFileSync(src + file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')] as const)

const having = (pattern: RegExp) => sources.filter(([, text]) => pattern.test(text)).map(([file]) => file)

test('only the inspector and React create elements, so there is no hidden frame', () => {
  expect(sources.length).toBeGreaterThan(50)
  const creating = having(/createElement|innerHTML|insertAdjacent/i)
  expect(creating.filter(file => !/^(inspector|bindings)\//.test(file))).toEqual([])
  expect(having(/iframe/i)).toEqual([])
})

test('no window receives a response: only a channel of this origin, named after its state, does [RS19]', () => {
  const ways = /\bopener\b(?! = null)|addEventListener\(\s*'message'|window\.postMessage|parent\.postMessage/
  // pages of its own origin send requests to the host of latchkey/worker, which responds on the port that they send
  expect(having(ways)).toEqual(['worker/host.ts'])
  expect(having(/new BroadcastChannel/).sort()).toEqual(['platform/browser/frame.ts', 'storage/channel.ts'])
})
