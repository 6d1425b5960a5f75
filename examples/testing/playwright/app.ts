import { createClient } from 'latchkey'
import { greeting } from '../greeting.ts'

const api = 'https://api.example.com'
const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: [api],
})
await client.start()

const load = document.createElement('button')
const result = document.createElement('output')
load.textContent = 'Load notes'
load.onclick = async () => {
  result.textContent = String((await client.fetch(`${api}/notes`)).status)
}
document.body.append(greeting(client), load, result)
