import { spawnSync } from 'node:child_process'

/** Starts a command in a PID namespace of its own, with the same host name; it dies with the command that made it. */
export const inPidNamespace = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const

/** Whether this machine lets us make PID namespaces: Linux, and root as a rule. */
export function mayMakePidNamespaces(): boolean {
  const [command, ...args] = inPidNamespace
  return spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0
}
