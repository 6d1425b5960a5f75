import { spawnSync } from 'node:child_process'

/** Starts a command in a new PID namespace with the same host name. The command ends with its parent. */
export const inPidNamespace = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const

/** Whether this process may create PID namespaces: usually only root on Linux. */
export function mayMakePidNamespaces(): boolean {
  const [command, ...args] = inPidNamespace
  return spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0
}
