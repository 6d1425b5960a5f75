import { afterAll, beforeEach } from 'vitest'
import { deviceClock } from '../../src/runtime/device-clock.ts'
import { indexedDbKeyValue } from '../../src/store/indexeddb.ts'
import { memoryKeyValue } from '../../src/store/memory.ts'
import { webStorageKeyValue } from '../../src/store/session-storage.ts'
import { keyValueContract } from '../contracts/key-value.ts'

const databases: string[] = []
const area = () => globalThis.sessionStorage

beforeEach(() => area().clear())
afterAll(() => {
  for (const database of databases) indexedDB.deleteDatabase(database)
})

keyValueContract('memory', { create: memoryKeyValue })

keyValueContract('indexedDb', {
  create() {
    databases.push(`latchkey test ${crypto.randomUUID()}`)
    return indexedDbKeyValue(databases.at(-1) as string, deviceClock)
  },
  again: () => indexedDbKeyValue(databases.at(-1) as string, deviceClock),
})

keyValueContract('sessionStorage', {
  create: () => webStorageKeyValue(area),
  again: () => webStorageKeyValue(area),
  damage: key => area().setItem(key, '{"word": "gr'),
})
