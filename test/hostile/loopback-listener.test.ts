import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { children } from '../support/child.ts'

const start = children()
const STATE = 'lk.loopback.abc'
const open: Socket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})

/** A tool in a separate process that waits for the response to a sign-in. */
const signIn = async (timeoutMs = '') => {
  const tool = start('sign-in-by-loopback', 'https://id.example.com/authorize', STATE, 'print', timeoutMs)
  await expect.poll(() => tool.lines()[0]).toMatch(/^listening /)
  const listening = new URL(tool.lines()[0]?.slice('listening '.length) ?? '')
  const { host, port } = listening
  /** A connection that has sent this text; it may send more. */
  const send = (text: string) => {
    const socket = connect(Number(port), '127.0.0.1')
    open.push(socket)
    socket.on('error', () => {}) // it may be reset
    let said = ''
    socket.setEncoding('latin1').on('data', part => {
      said += part
    })
    if (text) socket.write(text)
    const ended = new Promise<string>(resolve => socket.once('close', () => resolve(said)))
    return { socket, ended, connected: new Promise(resolve => socket.once('connect', resolve)) }
  }
  const ask = async (text: string) => {
    const said = await send(text).ended
    return Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1])
  }
  const get = (target: string, headers = `Host: ${host}\r\n`, method = 'GET') =>
    ask(`${method} ${target} HTTP/1.1\r\n${headers}\r\n`)
  const answer = () => fetch(`${listening.href}?code=c&state=${STATE}`)
  const ends = async () => {
    expect(await tool.ended).toBe(0)
    expect(tool.lines().slice(1)).toEqual([`answer ${listening.href}?code=c&state=${STATE}`, 'closed'])
  }
  return { tool, listening, host, port, send, ask, get, answer, ends }
}

describe('a hostile client of the sign-in listener', () => {
  test('is rejected by the kind of its request, and the sign-in continues and the process ends [F5.2]', async () => {
    const { host, port, ask, get, answer, ends } = await signIn()
    const good = `/callback?code=c&state=${STATE}`
    const statuses: [string, number, number][] = [
      ['two slashes', await get('//'), 400],
      ['two slashes and a host', await get(`//${host}${good}`), 400],
      ['a backslash', await get(`/\\evil.example${good}`), 400],
      ['a slash and a colon', await get('//:'), 400],
      ['an asterisk', await get('*', undefined, 'OPTIONS'), 400],
      ['another scheme', await get('javascript:alert(1)'), 400],
      ['the absolute form', await get(`http://${host}${good}`), 400],
      ['the absolute form of another place', await get('http://evil.example/'), 400],
      ['percent signs that mean nothing', await get('/%%%ff%'), 404],
      ['no HTTP at all', await ask('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'), 400],
      ['a header that is none', await ask(`GET / HTTP/1.1\r\nno header\r\n\r\n`), 400],
      ['headers without end', await get('/', `Host: ${host}\r\nA: ${'a'.repeat(100_000)}\r\n`), 431],
      ['no Host', await get(good, ''), 400],
      ['no Host in HTTP/1.0', await ask(`GET ${good} HTTP/1.0\r\n\r\n`), 400],
      ['a name that leads here (DNS rebinding)', await get(good, `Host: evil.example:${port}\r\n`), 421],
      ['localhost', await get(good, `Host: localhost:${port}\r\n`), 421],
      ['the Host without its port', await get(good, 'Host: 127.0.0.1\r\n'), 421],
      ['another path', await get('/'), 404],
      ['the path and more', await get(`/callback/${good}`), 404],
      ['HEAD', await get(good, undefined, 'HEAD'), 405],
      ['POST', await get(good, `Host: ${host}\r\nContent-Length: 0\r\n`, 'POST'), 405],
      ['a body without end', await get(good, `Host: ${host}\r\nContent-Length: 9999\r\n`, 'POST'), 405],
      ['a code without state', await get('/callback?code=c'), 404],
      ['a code with another state', await get('/callback?code=c&state=other'), 404],
      ['our state alone', await get(`/callback?state=${STATE}`), 404],
    ]
    expect(statuses.map(([what, status]) => [what, status])).toEqual(
      statuses.map(([what, , expected]) => [what, expected]),
    )
    expect((await answer()).status).toBe(200)
    await ends()
  })

  test('that is early, incomplete, slow or silent does not block a browser or keep the process running [F5.2]', async () => {
    const { host, send, answer, ends } = await signIn()
    const silent = Array.from({ length: 5 }, () => send(''))
    const half = Array.from({ length: 5 }, () => send(`GET /callback HTTP/1.1\r\nHost: ${host}\r\nX-`))
    const slow = Array.from({ length: 5 }, () => send('G'))
    const bodies = Array.from({ length: 5 }, () =>
      send(`POST /callback HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5000\r\n\r\na`),
    )
    const all = [...silent, ...half, ...slow, ...bodies]
    await Promise.all(all.map(({ connected }) => connected))
    const dripping = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write('E')
    }, 20)
    try {
      expect((await answer()).status).toBe(200)
      await ends()
      await Promise.all(all.map(({ ended }) => ended))
    } finally {
      clearInterval(dripping)
    }
  })

  test('that floods it with connections is limited, and the browser gets its response [F5.2]', async () => {
    const { host, send, answer, ends } = await signIn()
    const flood = Array.from({ length: 300 }, (_, index) =>
      send(index % 2 ? '' : `GET / HTTP/1.1\r\nHost: ${host}\r\n`),
    )
    let isOver = 0
    for (const { ended } of flood) void ended.then(() => isOver++)
    await expect.poll(() => isOver).toBeGreaterThanOrEqual(300 - 32)
    expect((await answer()).status).toBe(200)
    await ends()
    await Promise.all(flood.map(({ ended }) => ended))
  })

  test('does not keep a process running after the user gives up [F5.2]', async () => {
    const { tool, send } = await signIn('2000')
    await Promise.all([send('').connected, send('GET / HTTP/1.1\r\n').connected])
    expect(await tool.ended).toBe(0)
    expect(tool.lines().slice(1)).toEqual(['refused ERR_CALLBACK', 'closed'])
  })

  test('does no harm after the response, also over an existing connection [F5.2]', async () => {
    const { host, send, tool } = await signIn()
    const good = `GET /callback?code=c&state=${STATE} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    const early = send('')
    await early.connected
    // the same response repeatedly, in one packet and by many clients, and what follows it
    const many = Array.from({ length: 20 }, () => send(good.repeat(3)))
    early.socket.write(good + 'GET // HTTP/1.1\r\n\r\n'.repeat(3))
    await Promise.all([early, ...many].map(({ ended }) => ended))
    expect(await tool.ended).toBe(0)
    expect(tool.lines().at(-1)).toBe('closed')
  })
})
