import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileLock } from '../../src/refresh/lock-file.ts'
import { leaseLock } from '../../src/refresh/lock-lease.ts'
import { deviceClock } from '../../src/runtime/device-clock.ts'
import { file } from '../../src/runtime/node.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { keyValueContract } from './key-value.ts'
import { lockContract } from './lock.ts'

const tempFolder = tempFolders()
let path: string

keyValueContract('file', {
  create() {
    path = join(tempFolder(), 'deeper', 'tokens.json')
    return file(path).keyValue
  },
  again: () => file(path).keyValue,
  damage: () => writeFileSync(path, '{"key": {"word": "gr'),
})

lockContract('fileLock', {
  create() {
    path = join(tempFolder(), 'tokens.json.lock')
    return fileLock(path, deviceClock)
  },
  again: () => fileLock(path, deviceClock),
})

lockContract('leaseLock over file', {
  create() {
    path = join(tempFolder(), 'tokens.json')
    return leaseLock(file(path).keyValue, deviceClock)
  },
  again: () => leaseLock(file(path).keyValue, deviceClock),
})
