import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis as Ioredis, RedisOptions } from 'ioredis'
import { freePort } from './free-port.ts'
import { adminOf, killServer, runRedis } from './redis-server.ts'
import { findRedisServer } from './services.ts'

const NAME = 'fleet'
/** Sentinel replaces a primary that is unreachable for this long. A restart takes less. */
const DOWN_MS = 2500

/** A primary and a replica that store everything on disk, and a Sentinel that replaces the primary. */
export interface RedisPair {
  /** How `ioredis` finds the primary. */
  readonly options: RedisOptions
  /** Sends a command to the current primary. */
  command(...args: string[]): Promise<unknown>
  /** Kills the primary and immediately restarts it with its data on disk. */
  restart(): Promise<void>
  /** Waits until the replica is in sync, kills the primary, and restarts it after the replica has become the primary. */
  failOver(): Promise<void>
  close(): Promise<void>
}

interface Member {
  readonly port: number
  readonly folder: string
  readonly admin: Ioredis
  child: ChildProcess
}

const until = async (isTrue: () => Promise<boolean>) => {
  while (!(await isTrue().catch(() => false))) await new Promise(resolve => setTimeout(resolve, 50))
}

/** @param requiresReplica whether the primary refuses writes while it has no replica. */
export async function startRedisPair({ requiresReplica = false } = {}): Promise<RedisPair> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pair-'))
  const args = ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'local']
  if (requiresReplica) args.push('--min-replicas-to-write', '1', '--min-replicas-max-lag', '10')
  const members: Member[] = []
  for (const role of ['one', 'two']) {
    const own = { port: await freePort(), folder: join(folder, role) }
    mkdirSync(own.folder)
    const of = members[0] ? ['--replicaof', `127.0.0.1 ${members[0].port}`] : []
    const child = runRedis(own.port, own.folder, [...args, ...of])
    members.push({ ...own, child, admin: adminOf(own.port) })
  }
  const [first, second] = members as [Member, Member]
  await until(async () => (await second.admin.info('replication')).includes('master_link_status:up'))

  const port = await freePort()
  const configuration = join(folder, 'sentinel.conf')
  writeFileSync(
    configuration,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 1`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_MS}`,
      `sentinel failover-timeout ${NAME} 4000`,
    ].join('\n'),
  )
  const sentinel = spawn(findRedisServer() as string, [configuration, '--sentinel'], { stdio: 'ignore' })
  const admin = adminOf(port)
  const primary = async (): Promise<Member> => {
    const [, at] = (await admin.call('SENTINEL', 'get-master-addr-by-name', NAME)) as [string, string]
    return members.find(one => one.port === Number(at)) ?? first
  }
  await until(async () =>
    String(await admin.call('SENTINEL', 'replicas', NAME)).includes(String(second.port)),
  )

  const revive = (member: Member) => {
    member.child = runRedis(member.port, member.folder, args)
  }
  return {
    options: {
      sentinels: [{ host: '127.0.0.1', port }],
      name: NAME,
      retryStrategy: () => 100,
      sentinelRetryStrategy: () => 100,
      reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
    },
    command: async (name, ...rest) => (await primary()).admin.call(name as string, ...rest),
    async restart() {
      const member = await primary()
      await killServer(member.child)
      revive(member)
      await until(async () => (await member.admin.ping()) === 'PONG')
    },
    async failOver() {
      const old = await primary()
      const next = members.find(one => one !== old) as Member
      await until(async () => (await next.admin.info('replication')).includes('master_link_status:up'))
      await killServer(old.child)
      await until(async () => (await primary()) === next)
      revive(old)
    },
    async close() {
      for (const one of [admin, ...members.map(member => member.admin)]) one.disconnect()
      for (const child of [sentinel, ...members.map(member => member.child)]) await killServer(child)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
