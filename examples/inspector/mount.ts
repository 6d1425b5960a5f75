import { createClient } from 'latchkey'

export const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  allowedOrigins: ['https://api.example.com'],
})

// Vite replaces the condition: a production build does not contain the inspector
if (import.meta.env.DEV) import('latchkey/inspector').then(({ mountInspector }) => mountInspector(client))
