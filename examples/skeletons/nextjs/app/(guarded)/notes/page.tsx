'use client'

import { useSession } from 'latchkey/react'
import { useEffect, useState } from 'react'
import { apiUrl, client } from '../../session'

export default function Notes() {
  const { claims } = useSession('signed-in')
  const [notes, setNotes] = useState<unknown[]>()
  useEffect(() => {
    const load = async () => setNotes(await (await client.fetch(apiUrl)).json())
    void load()
  }, [])
  return (
    <main>
      <p id="user">{claims?.sub}</p>
      <p id="notes">{notes?.length}</p>
      <button type="button" id="sign-out" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}
