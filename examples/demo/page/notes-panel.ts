import type { Client } from 'latchkey'
import { byTestId, created, element } from './elements.ts'

const POLL_EVERY_MS = 3000

interface Note {
  readonly id: number
  readonly text: string
}

const isNotes = (value: unknown): value is Note[] => Array.isArray(value)

/** The buttons that call the notes API, and the results. */
export function createNotesPanel(client: Client, apiUrl: string) {
  const result = byTestId('last-result')
  const poll = byTestId<HTMLInputElement>('poll')
  const text = byTestId<HTMLInputElement>('note-text')
  const calls = { ok: 0, failed: 0 }
  let timer: ReturnType<typeof setInterval> | undefined

  const tell = (ok: boolean, message: string) => {
    calls[ok ? 'ok' : 'failed']++
    byTestId('calls-ok').textContent = String(calls.ok)
    byTestId('calls-failed').textContent = String(calls.failed)
    result.textContent = message
    result.classList.toggle('bad', !ok)
  }

  const call = async (init: RequestInit = {}): Promise<unknown> => {
    const what = `${init.method ?? 'GET'} ${new URL(apiUrl).pathname}`
    const began = performance.now()
    try {
      const response = await client.fetch(apiUrl, init)
      const body: unknown = await response.json()
      tell(response.ok, `${what}: ${response.status} after ${Math.round(performance.now() - began)} ms`)
      return response.ok ? body : undefined
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? `${error.code}: ` : ''
      tell(false, `${what}: ${code}${error instanceof Error ? error.message : error}`)
      return undefined
    }
  }

  const list = async () => {
    const notes = await call()
    if (!isNotes(notes)) return
    byTestId('notes').replaceChildren(...notes.map(note => created('li', '', note.text)))
  }

  const add = async () => {
    const note = text.value.trim()
    if (!note) return text.focus()
    const headers = { 'content-type': 'application/json' }
    if (!(await call({ method: 'POST', headers, body: JSON.stringify({ text: note }) }))) return
    text.value = ''
    await list()
  }

  const revoke = async () => {
    const { session } = client
    if (session.status !== 'signed-in') return
    const response = await fetch('/demo/revoke', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ subject: session.claims?.sub }),
    })
    result.classList.remove('bad')
    result.textContent = response.ok
      ? 'The server has revoked your access token. Call the API now.'
      : 'The server could not revoke your access token.'
  }

  const setPolling = (on: boolean) => {
    clearInterval(timer)
    timer = on ? setInterval(list, POLL_EVERY_MS) : undefined
    poll.setAttribute('aria-checked', String(on))
    if (on) void list()
  }

  byTestId('list-notes').addEventListener('click', list)
  byTestId('revoke').addEventListener('click', revoke)
  poll.addEventListener('change', () => setPolling(poll.checked))
  element('#note-form').addEventListener('submit', event => {
    event.preventDefault()
    void add()
  })

  return {
    /** Call it when a session ends: clears the screen and stops the calls. */
    reset: () => {
      poll.checked = false
      setPolling(false)
      byTestId('notes').replaceChildren()
      result.classList.remove('bad')
      result.textContent = 'No call yet.'
    },
  }
}
