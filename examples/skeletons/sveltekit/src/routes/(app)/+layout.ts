import { redirect } from '@sveltejs/kit'
import { onUserChange, requireSession } from 'latchkey/svelte'
import { client } from '#lib/client.ts'
import { invalidateAll } from '$app/navigation'

export const load = requireSession(client, { redirect, signedOutPath: '/' })

onUserChange(client, () => invalidateAll())
