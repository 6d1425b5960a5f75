import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GlideClient, GlideClusterClient } from '@valkey/valkey-glide'
import { Redis as Ioredis, Cluster as IoredisCluster } from 'ioredis'
import { Redis as Iovalkey, Cluster as IovalkeyCluster } from 'iovalkey'
import { createClient, createCluster } from 'redis'
import type { RedisConnection } from '../../src/storage/redis-connection.ts'
import { freePort } from './free-port.ts'
import { findRedisServer } from './services.ts'

export interface RedisServer {
  readonly port: number
  readonly process: ChildProcess
  /** Deletes all data. */
  flush(): Promise<void>
  /** Sends a command, such as `CLIENT PAUSE 1000 ALL`. */
  command(...args: string[]): Promise<unknown>
  close(): Promise<void>
}

/** Starts the process of a Redis server. After its end, another call can restart it at the same port with its data. */
export function runRedis(port: number, folder: string, more: readonly string[] = []): ChildProcess {
  const program = findRedisServer()
  if (!program) throw new Error('There is no redis-server: install the package of that name.')
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  return spawn(program, [...own, ...more], { stdio: 'ignore' })
}

/** Kills a server with SIGKILL, as a power failure would. */
export async function killServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** A connection for commands that wait while the server is unreachable. */
export const adminOf = (port: number): Ioredis => {
  const admin = new Ioredis({
    port,
    host: '127.0.0.1',
    maxRetriesPerRequest: 200,
    retryStrategy: () => 50,
  })
  admin.on('error', () => {})
  return admin
}

/** @param prepare makes the server ready for its clients. */
async function startServer(
  more: readonly string[],
  prepare: (admin: Ioredis) => Promise<unknown>,
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-redis-'))
  const port = await freePort()
  const child = runRedis(port, folder, ['--appendonly', 'no', ...more])
  const admin = adminOf(port)
  await prepare(admin)
  return {
    port,
    process: child,
    flush: async () => void (await admin.flushall()),
    command: (name, ...rest) => admin.call(name as string, ...rest),
    async close() {
      admin.disconnect()
      await killServer(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a separate Redis on a free port, without data on disk. */
export const startRedis = (): Promise<RedisServer> => startServer([], admin => admin.ping())

/** Starts a cluster of one node, which has all slots. It refuses scripts whose keys have different slots. */
export async function startRedisCluster(): Promise<RedisServer> {
  const busPort = await freePort() // the default, 10,000 more, may not exist
  const isReady = async (admin: Ioredis) => (await admin.cluster('INFO')).includes('cluster_state:ok')
  return startServer(
    ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-announce-ip', '127.0.0.1'],
    async admin => {
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      while (!(await isReady(admin))) await new Promise(resolve => setTimeout(resolve, 20))
    },
  )
}

export interface OpenConnection {
  readonly connection: RedisConnection
  close(): Promise<void>
}

/** The four client libraries, each set up as its documentation says. */
export const redisClients: Readonly<Record<string, (port: number) => Promise<OpenConnection>>> = {
  async redis(port) {
    const client = createClient({ url: `redis://127.0.0.1:${port}` })
    client.on('error', () => {})
    await client.connect()
    return { connection: client, close: async () => client.destroy() }
  },
  async ioredis(port) {
    const client = new Ioredis({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    return { connection: client, close: async () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new Iovalkey({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    return { connection: client, close: async () => client.disconnect() }
  },
  async '@valkey/valkey-glide'(port) {
    const client = await GlideClient.createClient({ addresses: [{ host: '127.0.0.1', port }] })
    return { connection: client, close: async () => client.close() }
  },
}

/** The same libraries, connected to a cluster. */
export const redisClusterClients: typeof redisClients = {
  async redis(port) {
    const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] })
    client.on('error', () => {})
    await client.connect()
    return { connection: client, close: async () => client.destroy() }
  },
  async ioredis(port) {
    const client = new IoredisCluster([{ port, host: '127.0.0.1' }])
    client.on('error', () => {})
    return { connection: client, close: async () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new IovalkeyCluster([{ port, host: '127.0.0.1' }])
    client.on('error', () => {})
    return { connection: client, close: async () => client.disconnect() }
  },
  async '@valkey/valkey-glide'(port) {
    const client = await GlideClusterClient.createClient({ addresses: [{ host: '127.0.0.1', port }] })
    return { connection: client, close: async () => client.close() }
  },
}
