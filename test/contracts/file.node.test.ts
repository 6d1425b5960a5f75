import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileLock } from '../../src/lock/file.ts'
import { leaseLock } from '../../src/lock/lease.ts'
import { file } from '../../src/node.ts'
import { deviceClock } from '../../src/platform/device.ts'
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
