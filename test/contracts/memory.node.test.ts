import type { KeyValue } from '../../src/core/ports.ts'
import { leaseLock } from '../../src/lock/lease.ts'
import { localLock } from '../../src/lock/local.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'
import { keyValueContract } from './key-value.ts'
import { lockContract } from './lock.ts'

keyValueContract('memory', { create: memoryKeyValue })

lockContract('localLock', { create: () => localLock(deviceClock) })

let shared: KeyValue
lockContract('leaseLock over memory', {
  create: () => {
    shared = memoryKeyValue()
    return leaseLock(shared, deviceClock)
  },
  again: () => leaseLock(shared, deviceClock),
})
