// ky over client.fetch: short calls, JSON in and out, and ky's own retries for a busy server. latchkey handles expired and
// revoked access tokens, so leave 401 out of ky's `retry`.
import { createClient } from 'latchkey'
import { createKy } from 'latchkey/ky'

interface Note {
  id: string
  text: string
}

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid offline_access',
  allowedOrigins: ['https://api.example.com'],
})

const api = createKy(client, { baseUrl: 'https://api.example.com/', retry: 3 })

await client.start()
if (client.session.status === 'signed-out') await client.signIn({ returnTo: location.href })

const added = await api.post('notes', { json: { text: 'Buy milk' } }).json<Note>()
const notes = await api.get('notes').json<Note[]>()
console.log(`${notes.length} notes, the newest is ${added.id}`)
