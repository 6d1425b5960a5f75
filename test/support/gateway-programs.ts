import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gatewayConfiguration, startGateway } from './gateways.ts'
import { isRoot } from './programs.ts'
import { APACHE, HAPROXY, NGINX } from './services.ts'

interface Settings {
  /** The gateway's own port. */
  readonly port: number
  readonly upstreamPort: number
  /** More changes to the example's configuration: from a text to another one. */
  readonly changes?: Readonly<Record<string, string>>
}

const addresses = ({ port, upstreamPort }: Settings) => ({
  '127.0.0.1:8080': `127.0.0.1:${port}`,
  '127.0.0.1:8081': `127.0.0.1:${upstreamPort}`,
})

const introspect = fileURLToPath(new URL('../../examples/gateways/nginx/introspect.js', import.meta.url))

/** Starts the nginx of examples/gateways in front of an API. */
export const startNginx = (
  settings: Settings & {
    introspectionPort: number
    credentials: { readonly clientId: string; readonly clientSecret: string }
  },
) => {
  const { clientId, clientSecret } = settings.credentials
  const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)
  return startGateway(
    settings.port,
    {
      'introspect.js': readFileSync(introspect, 'utf8'),
      'nginx.conf': gatewayConfiguration('nginx/nginx.conf', {
        ...addresses(settings),
        '127.0.0.1:8082': `127.0.0.1:${settings.introspectionPort}`,
        'bXktYXBpOnNlY3JldA==': credentials.toString('base64'),
        ...(isRoot && { load_module: 'user root;\nload_module' }),
        '200 5s': '200 1s',
        ...settings.changes,
      }),
    },
    folder => {
      for (const name of ['cache', 'temp']) mkdirSync(`${folder}/${name}`)
      return [NGINX, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
    },
  )
}

/** Starts the HAProxy of examples/gateways in front of an API. */
export const startHaproxy = (settings: Settings & { issuer: string; pem: string }) =>
  startGateway(
    settings.port,
    {
      'issuer.pem': settings.pem,
      'haproxy.cfg': gatewayConfiguration('haproxy/haproxy.cfg', {
        ...addresses(settings),
        'https://id.example.com': settings.issuer,
        '/etc/haproxy/issuer.pem': 'issuer.pem',
        ...settings.changes,
      }),
    },
    () => [HAPROXY, '-f', 'haproxy.cfg'],
  )

/** Starts the Apache of examples/gateways in front of an API. */
export const startApache = (settings: Settings & { issuer: string }) =>
  startGateway(
    settings.port,
    {
      'apache.conf': gatewayConfiguration('apache/apache.conf', {
        'https://id.example.com': settings.issuer,
        ...addresses(settings),
        ...settings.changes,
      }),
    },
    folder => {
      chmodSync(folder, 0o755) // its workers run as another user
      return [APACHE, '-d', folder, '-f', 'apache.conf', '-DFOREGROUND']
    },
  )
