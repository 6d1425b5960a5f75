/** Whether traffic to this URL cannot be read on the way: https, or http that never leaves the machine. */
export const isConfidential = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))

/** RFC 8252 section 8.3; `localhost` is what development servers print. */
const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

/** Whether an access token may go to this URL. Compared as parsed origins, never as text. */
export const isAllowed = (url: URL, allowedOrigins: ReadonlySet<string>): boolean =>
  allowedOrigins.has(url.origin) && !url.username && !url.password
