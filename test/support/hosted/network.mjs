// Preloaded into a program: its requests to other hosts go to the doubles that a test serves at DOUBLES_URL.
const { DOUBLES_URL = '' } = process.env
const send = globalThis.fetch

globalThis.fetch = async (input, init) => {
  const request = new Request(input, init)
  const { hostname } = new URL(request.url)
  if (hostname === '127.0.0.1') return send(request)
  const { method, headers, signal } = request
  const body = method === 'GET' ? undefined : await request.text()
  const forwarded = new Headers(headers)
  forwarded.set('x-double-of', request.url)
  return send(DOUBLES_URL, { method, headers: forwarded, body, signal, redirect: 'manual' })
}
