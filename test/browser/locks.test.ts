import { afterAll } from 'vitest'
import { leaseLock } from '../../src/refresh/lock-lease.ts'
import { localLock } from '../../src/refresh/lock-local.ts'
import { webLock } from '../../src/refresh/lock-web.ts'
import { deviceClock } from '../../src/runtime/device-clock.ts'
import { indexedDbKeyValue } from '../../src/store/indexeddb.ts'
import { lockContract } from '../contracts/lock.ts'

const databases: string[] = []
const place = () => indexedDbKeyValue(databases.at(-1) as string, deviceClock)

afterAll(() => {
  for (const database of databases) indexedDB.deleteDatabase(database)
})

lockContract('localLock', { create: () => localLock(deviceClock) })

lockContract('webLock', {
  create: () => webLock(navigator.locks, deviceClock, localLock(deviceClock)),
  again: () => webLock(navigator.locks, deviceClock, localLock(deviceClock)),
})

lockContract('leaseLock over IndexedDB', {
  create() {
    databases.push(`latchkey test ${crypto.randomUUID()}`)
    return leaseLock(place(), deviceClock)
  },
  again: () => leaseLock(place(), deviceClock),
})
