import { chmodSync, existsSync } from 'node:fs'
import { gatewayConfiguration, startGateway } from './gateways.ts'

const APACHE = '/usr/sbin/apache2'
const MODULE = '/usr/lib/apache2/modules/mod_oauth2.so'

export const hasApache = (): boolean => existsSync(APACHE) && existsSync(MODULE)

/** Starts the Apache of examples/gateways in front of an API, with more changes to its configuration. */
export const startApache = ({
  port,
  upstreamPort,
  issuer,
  changes = {},
}: {
  port: number
  upstreamPort: number
  issuer: string
  changes?: Readonly<Record<string, string>>
}) =>
  startGateway(
    port,
    {
      'apache.conf': gatewayConfiguration('apache/apache.conf', {
        'https://id.example.com': issuer,
        '127.0.0.1:8080': `127.0.0.1:${port}`,
        '127.0.0.1:8081': `127.0.0.1:${upstreamPort}`,
        ...changes,
      }),
    },
    folder => {
      chmodSync(folder, 0o755) // its workers run as another user
      return [APACHE, '-d', folder, '-f', 'apache.conf', '-DFOREGROUND']
    },
  )
