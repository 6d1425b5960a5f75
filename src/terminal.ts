import type { UserAgent } from './core/ports.ts'
import { deviceAttempt } from './grants/attended.ts'
import { createTerminal, type TerminalOptions } from './platform/node/terminal.ts'

export type { TerminalOptions } from './platform/node/terminal.ts'

/**
 * Signs in from a terminal, wherever it is: on a desktop with the system's browser, over SSH or in a container with a code for
 * another device (RFC 8628) where the server offers that, and otherwise with an address to open and to paste back. In CI the
 * sign-in rejects at once. What the user has to open is printed to standard error.
 * @param options choose a way, for flags such as `--device` and `--no-browser`.
 */
export const terminal = (options: TerminalOptions = {}): UserAgent => createTerminal(deviceAttempt, options)
