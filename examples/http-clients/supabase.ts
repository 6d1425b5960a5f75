import { createClient } from '@supabase/supabase-js'
import type { Client } from 'latchkey'

export const createSupabase = (client: Pick<Client, 'fetch'>, url: string, anonKey: string) =>
  createClient(url, anonKey, {
    accessToken: async () => null, // latchkey signs in, so Supabase needs no auth client
    global: {
      fetch(input, init) {
        const headers = new Headers(init?.headers)
        headers.delete('authorization') // supabase-js puts the anon key here
        return client.fetch(input, { ...init, headers })
      },
    },
  })
