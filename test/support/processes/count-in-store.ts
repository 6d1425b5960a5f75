import { writeSync } from 'node:fs'
import { file } from '../../../src/node.ts'

// Adds one to a value in a file store, `times` times.
const [path = '', times = '0'] = process.argv.slice(2)
const { keyValue } = file(path)
writeSync(1, 'ready\n')
for (let done = 0; done < Number(times); done++) {
  await keyValue.update('counter', stored => ((stored as number | undefined) ?? 0) + 1)
  writeSync(1, 'added\n')
}
