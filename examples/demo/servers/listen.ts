import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A running server. */
export interface Listening {
  readonly origin: string
  readonly port: number
  /** Closes every connection, also idle ones, and frees the port. */
  close(): Promise<void>
}

export interface ListenOptions {
  /** The name of the server, for messages. */
  name: string
  /** Default 0: any free port. */
  port?: number
  /** How the reader of a message chooses another port. */
  portOption?: string
}

/**
 * Listens on 127.0.0.1.
 * @throws Error with one sentence if the port is taken or not allowed.
 */
export async function listen(server: Server, options: ListenOptions): Promise<Listening> {
  const { name, port = 0, portOption = 'the option "port"' } = options
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.code})`
      reject(
        new Error(
          `Port ${port} for the ${name} ${why}: choose another one with ${portOption}, or 0 for any free one.`,
          { cause: error },
        ),
      )
    })
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${address.port}`,
    port: address.port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
