import { apiUrl, client } from '#lib/client.ts'

export const load = async ({ parent }: { parent: () => Promise<unknown> }) => {
  await parent() // waits for the guard of the layout
  const notes: unknown[] = await (await client.fetch(apiUrl)).json()
  return { notes }
}
