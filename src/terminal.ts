import type { UserAgent } from './core/ports.ts'
import { deviceAttempt } from './grants/attended.ts'
import { createTerminal, type TerminalOptions } from './platform/node/terminal.ts'

export type { TerminalOptions } from './platform/node/terminal.ts'

/**
 * Signs in from any terminal. On a desktop it uses the system's browser. Over SSH or in a container it uses a code for
 * another device (RFC 8628) if the server offers that; otherwise the user opens an address and pastes the callback URL.
 * latchkey prints the address to standard error. In CI the sign-in rejects immediately.
 * @param options force a way to sign in, for flags such as `--device` and `--no-browser`.
 */
export const terminal = (options: TerminalOptions = {}): UserAgent => createTerminal(deviceAttempt, options)
