import { existsSync } from 'node:fs'
import { aptInstall, canUseApt, everythingIsRequired, onPath } from './programs.ts'

/** A program that some tests need and that a machine may lack. */
export interface Service {
  /** Debian's packages for it. */
  readonly packages: readonly string[]
  isHere(): boolean
}

export const findRedisServer = (): string | undefined => ['redis-server', 'valkey-server'].flatMap(onPath)[0]

export const NGINX = '/usr/sbin/nginx'
export const HAPROXY = '/usr/sbin/haproxy'
export const APACHE = '/usr/sbin/apache2'

const services = {
  Redis: { packages: ['redis-server'], isHere: () => findRedisServer() !== undefined },
  'Secret Service': {
    packages: ['gnome-keyring', 'dbus', 'dbus-x11'],
    isHere: () => ['gnome-keyring-daemon', 'dbus-run-session'].every(name => onPath(name).length > 0),
  },
  nginx: {
    packages: ['nginx', 'libnginx-mod-http-js'],
    isHere: () => [NGINX, '/usr/lib/nginx/modules/ngx_http_js_module.so'].every(existsSync),
  },
  HAProxy: { packages: ['haproxy'], isHere: () => existsSync(HAPROXY) },
  Apache: {
    packages: ['apache2', 'libapache2-mod-oauth2'],
    isHere: () => [APACHE, '/usr/lib/apache2/modules/mod_oauth2.so'].every(existsSync),
  },
} satisfies Record<string, Service>

export type ServiceName = keyof typeof services

const advice = (name: string, { packages }: Service) => `${name} is missing: install ${packages.join(', ')}.`

/**
 * Whether this machine has a service. Tests that need it are defined only where it is.
 * @throws Error if the run requires everything and this service is missing.
 */
export function hasService(name: ServiceName): boolean {
  const isHere = services[name].isHere()
  if (!isHere && everythingIsRequired()) throw new Error(advice(name, services[name]))
  return isHere
}

/**
 * Installs the missing services if possible: on Debian or Ubuntu, as root.
 * @param say prints what is being installed.
 * @returns a text that names the available ones.
 * @throws Error with one sentence for each that is missing, if the run requires everything.
 */
export async function ensureServices(
  say: (line: string) => void,
  {
    wanted = services as Readonly<Record<string, Service>>,
    install = canUseApt() ? aptInstall : null,
    isRequired = everythingIsRequired(),
  } = {},
): Promise<string> {
  const missing = () => Object.entries(wanted).filter(([, service]) => !service.isHere())
  const packages = missing().flatMap(([, service]) => service.packages)
  let problem: string | undefined
  if (install && packages.length > 0) {
    say(`Services for the tests: installing ${packages.join(', ')} by apt-get`)
    problem = await install(['--no-install-recommends', ...packages])
    if (problem) say(`That did not work: ${problem}.`)
  }
  const absent = missing()
  if (absent.length > 0 && isRequired)
    throw new Error([...(problem ? [`${problem}.`] : []), ...absent.map(one => advice(...one))].join(' '))
  return (
    Object.keys(wanted)
      .filter(name => !absent.some(([other]) => other === name))
      .join(', ') || 'none'
  )
}
