import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { file } from '../../../src/node.ts'

// Writes to a file store. For each flush it prints what was flushed, and whether the store's file already existed.
const [path = '', folder = ''] = process.argv.slice(2)
const some = await open(process.execPath)
const handles = Object.getPrototypeOf(some) as FileHandle
await some.close()
const { sync } = handles
handles.sync = async function () {
  await sync.call(this)
  const flushed = readlinkSync(`/proc/self/fd/${this.fd}`)
  const isThere = readdirSync(folder, { recursive: true }).map(String).includes('deep/tokens.json')
  writeSync(1, `${flushed} ${isThere ? 'after' : 'before'}\n`)
}
await file(path).keyValue.update('key', () => 'value')
