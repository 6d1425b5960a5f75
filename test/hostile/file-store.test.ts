import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { file } from '../../src/node.ts'
import { type Child, children } from '../support/child.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const start = children()
/** Processes that run TypeScript take a while to start on a busy machine. */
const PATIENTLY = { timeout: 90_000 }
const STARTED = { interval: 1, timeout: 60_000 }
const isRoot = process.getuid?.() === 0

/** A private disk for a process, mounted at /mnt. No other process sees it, and it ends with the process. */
const withDisk = (mount: string) => ['unshare', '--mount', 'sh', '-c', `${mount} && exec "$0" "$@"`]
const startOnFullDisk = children(withDisk('mount -t tmpfs -o size=64k tmpfs /mnt'))
const startOnReadOnlyDisk = children(
  withDisk(
    `mount -t tmpfs tmpfs /mnt && echo '{"key":"old"}' > /mnt/tokens.json && mount -o remount,ro /mnt`,
  ),
)
const mayMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
if (!mayMount)
  console.info('Nothing can be mounted here: the tests of a full and a read-only disk are left out.')

interface Outcome {
  readonly step: string
  readonly result?: unknown
  readonly code?: string
  readonly message?: string
  readonly retryable?: boolean
  readonly because?: string
}
const outcomesOf = async (child: Child): Promise<Outcome[]> => {
  expect(await child.ended).toBe(0)
  return child.lines().map(line => JSON.parse(line) as Outcome)
}
const use = (path: string, ...steps: string[]) => outcomesOf(start('use-store', path, ...steps))
const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]

describe('an obstacle in place of the store file', PATIENTLY, () => {
  const put: [string, (path: string) => void][] = [
    ['a pipe', path => void execFileSync('mkfifo', [path])],
    ['a folder', path => void mkdirSync(path)],
    ['a link to nothing', path => symlinkSync(`${path}-nothing`, path)],
    ['a link to a device', path => symlinkSync('/dev/zero', path)],
    [
      'a file of a terabyte',
      path => {
        writeFileSync(path, '')
        truncateSync(path, 2 ** 40)
      },
    ],
  ]
  test.each(put)(
    'is rejected by name if it is %s, and does not block the process [F5.3]',
    async (_what, make) => {
      const path = join(tempFolder(), 'tokens.json')
      make(path)
      // more often than there are threads for files
      const outcomes = await use(path, 'get', 'get', 'get', 'get', 'get', 'keys', 'put=value')
      expect(outcomes).toHaveLength(7)
      for (const { code, message, retryable } of outcomes) {
        expect(code).toBe('ERR_STORAGE')
        expect(retryable).toBe(false)
        expect(message).toContain(path)
        expect(message).toContain('Remove it, or name another file.')
      }
    },
  )

  test('is rejected by name if it is a socket [F5.3]', async () => {
    const path = join(tempFolder(), 'tokens.json')
    const server = createServer()
    await new Promise<void>(resolve => server.listen(path, resolve))
    onTestFinished(() => void server.close())
    for (const { code, message } of await use(path, 'get', 'put=value')) {
      expect(code).toBe('ERR_STORAGE')
      expect(message).toContain('is not a regular file')
    }
  })

  test.each(['write', 'another%20lock'])(
    'a pipe as the lock file of "%s" blocks no process [F5.3]',
    async name => {
      const path = join(tempFolder(), 'tokens.json')
      mkdirSync(join(`${path}.lock`, name), { recursive: true })
      execFileSync('mkfifo', [join(`${path}.lock`, name, '1')])
      expect(await use(path, 'put=value', 'get', 'lock=another lock')).toMatchObject([
        { step: 'put' },
        { result: 'value' },
        { result: 'had' },
      ])
    },
  )

  test('a pipe that replaces a held lock blocks no process [F5.3]', async () => {
    const path = join(tempFolder(), 'tokens.json')
    expect(await use(path, 'lockThenPipe=refresh', 'lock=refresh')).toMatchObject([
      { result: 'had' },
      { result: 'had' },
    ])
  })

  test('a lock folder that is a link is rejected, and its target stays unchanged [F5.6]', async () => {
    const [path, victim] = [join(tempFolder(), 'tokens.json'), tempFolder()]
    mkdirSync(join(victim, 'write'))
    for (const name of ['1', '2', '3']) writeFileSync(join(victim, 'write', name), 'precious')
    symlinkSync(victim, `${path}.lock`)
    const [first] = await use(path, 'put=value')
    expect(first).toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringContaining('is a symbolic link'),
    })
    expect(readdirSync(join(victim, 'write')).sort()).toEqual(['1', '2', '3'])
  })

  test('a file as part of the path causes an error that says so [F5.3]', async () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'file'), '')
    for (const { code, message, retryable } of await use(
      join(folder, 'file', 'tokens.json'),
      'get',
      'put=value',
    )) {
      expect(code).toBe('ERR_STORAGE')
      expect(retryable).toBe(false)
      expect(message).toContain('is not a folder')
    }
  })
})

describe('the store file, changed by other programs during use', PATIENTLY, () => {
  test('is read as it is now: replaced, removed, damaged, removed with its folder [F5.3]', async () => {
    const folder = join(tempFolder(), 'state')
    const path = join(folder, 'tokens.json')
    const { keyValue } = file(path)
    await keyValue.update('key', () => 'mine')
    writeFileSync(path, '{"key":"theirs"}')
    expect(await keyValue.get('key')).toBe('theirs')
    rmSync(path)
    expect(await keyValue.get('key')).toBeUndefined()
    await keyValue.update('key', () => 'mine')
    writeFileSync(path, '{"key":')
    expect(await keyValue.get('key')).toBeUndefined()
    rmSync(folder, { recursive: true })
    expect(await keyValue.keys('')).toEqual([])
    await keyValue.update('key', () => 'mine')
    expect(await keyValue.get('key')).toBe('mine')
  })

  test('causes a typed error if its folder is removed during a write [F5.3]', async () => {
    const folder = join(tempFolder(), 'state')
    const { keyValue } = file(join(folder, 'tokens.json'))
    const write = keyValue.update('key', () => {
      rmSync(folder, { recursive: true })
      return 'value'
    })
    await expect(write).rejects.toMatchObject({ code: 'ERR_STORAGE' })
    await keyValue.update('key', () => 'value')
    expect(await keyValue.get('key')).toBe('value')
  })
})

describe('a temporary file that a writer leaves behind', PATIENTLY, () => {
  const tempFilesIn = (folder: string) => readdirSync(folder).filter(name => name.endsWith('.tmp'))

  test('is removed by the next write if the writer was killed, and no other file is [F5.4]', async () => {
    const folder = tempFolder()
    const path = join(folder, 'tokens.json')
    const killed = start('use-store', path, 'put=small', ...Array<string>(500).fill('putMuch=8000000'))
    await expect.poll(() => tempFilesIn(folder).length, STARTED).toBe(1)
    killed.kill('SIGKILL')
    await killed.ended
    const left = join(folder, 'tokens.json.0b0f1c0e-1111-4222-8333-444455556666.tmp')
    writeFileSync(left, '{"key":"secret"}')
    const [precious, link] = [join(folder, 'precious'), left.replace('444455556666', '444455557777')]
    writeFileSync(precious, 'text')
    symlinkSync(precious, link)
    const others = [
      'tokens.json.tmp',
      'tokens.json.my.tmp',
      'other.json.0b0f1c0e-1111-4222-8333-444455556666.tmp',
    ]
    for (const name of others) writeFileSync(join(folder, name), 'kept')

    await file(path).keyValue.update('key', () => 'value')
    expect(tempFilesIn(folder).sort()).toEqual(others.sort())
    expect(readFileSync(precious, 'utf8')).toBe('text')
  })

  test('does not replace a newer write if the writer was stopped before it wrote [F5.4, F1.8]', async () => {
    const path = join(tempFolder(), 'tokens.json')
    const stopped = start('use-store', path, 'stopAndPut=old', 'get')
    await expect.poll(() => stateOf(stopped.pid), STARTED).toBe('T')
    await file(path).keyValue.update('key', () => 'new')
    stopped.kill('SIGCONT')
    // it starts again with the newer content
    expect(await outcomesOf(stopped)).toMatchObject([{ step: 'stopAndPut' }, { result: 'new, then old' }])
  })

  test('does not replace a newer write if the writer was stopped during its write [F5.4, F1.8]', async () => {
    const folder = tempFolder()
    const path = join(folder, 'tokens.json')
    const writes = Array<string>(200).fill('putMuch=8000000')
    const stopped = start('use-store', path, ...writes)
    const isCaught = () => {
      if (tempFilesIn(folder).length === 0) return false
      stopped.kill('SIGSTOP')
      // writes in progress in the kernel complete first
      while (stateOf(stopped.pid) !== 'T') {}
      if (tempFilesIn(folder).length > 0) return true
      stopped.kill('SIGCONT')
      return false
    }
    await expect.poll(isCaught, STARTED).toBe(true)
    await file(path).keyValue.update('key', () => 'new')
    expect(tempFilesIn(folder)).toEqual([])
    const before = stopped.lines().length
    const { keyValue } = file(path)
    await keyValue.update('other', () => 'kept')
    stopped.kill('SIGCONT')
    await expect.poll(() => stopped.lines().length, { timeout: 30_000 }).toBeGreaterThan(before + 1)
    stopped.kill('SIGKILL')
    expect(await keyValue.get('other')).toBe('kept')
  })
})

describe('the disk of the store file', PATIENTLY, () => {
  test.runIf(process.platform === 'linux')(
    'gets the file flushed before its rename, and each folder with a new name [F5.6]',
    async () => {
      const folder = tempFolder()
      const child = start('watch-flushes', join(folder, 'deep', 'tokens.json'), folder)
      expect(await child.ended).toBe(0)
      const deep = join(folder, 'deep')
      const flushed = child.lines().map(line => line.replace(/\.[\da-f-]{36}\.tmp/, '.tmp'))
      expect(flushed).toEqual([
        `${folder} before`,
        `${join(deep, 'tokens.json.tmp')} before`,
        `${deep} after`,
      ])
    },
  )

  test.runIf(mayMount)(
    'that is full keeps the old content, causes an error that says so, and works again when there is space [F5.3]',
    async () => {
      const full = startOnFullDisk(
        'use-store',
        '/mnt/tokens.json',
        'put=old',
        'fill=/mnt/filling',
        'putMuch=20000',
        'put=small',
        'get',
        'lock=refresh',
        'remove=/mnt/filling',
        'putMuch=20000',
        'lock=refresh',
      )
      const [, , much, , got, lock, , again, lockAgain] = await outcomesOf(full)
      expect(much).toMatchObject({
        code: 'ERR_STORAGE',
        because: 'ENOSPC',
        retryable: true,
        message: expect.stringContaining('the disk is full. Free some space'),
      })
      expect(got).toEqual({ step: 'get', result: 'old' })
      expect(lock).toMatchObject({ code: 'ERR_STORAGE', because: 'ENOSPC' })
      expect(again).toEqual({ step: 'putMuch' })
      expect(lockAgain).toEqual({ step: 'lock', result: 'had' })
    },
  )

  test.runIf(mayMount)('that is read-only can be read, and the error of a write says so [F5.3]', async () => {
    const child = startOnReadOnlyDisk('use-store', '/mnt/tokens.json', 'get', 'put=new', 'get')
    expect(await outcomesOf(child)).toMatchObject([
      { result: 'old' },
      {
        code: 'ERR_STORAGE',
        because: 'EROFS',
        retryable: false,
        message: expect.stringContaining('read-only'),
      },
      { result: 'old' },
    ])
  })

  test.runIf(isRoot)('that this user may not write to causes an error that says so [F5.3]', async () => {
    const folder = tempFolder()
    chmodSync(folder, 0o755)
    const path = join(folder, 'tokens.json')
    const [, get, put] = await use(path, 'nobody', 'get', 'put=new')
    expect(get).toEqual({ step: 'get' })
    expect(put).toMatchObject({
      code: 'ERR_STORAGE',
      because: 'EACCES',
      retryable: false,
      message: expect.stringContaining('not allowed'),
    })
    expect(existsSync(path)).toBe(false)
  })
})
