import type { Client } from 'latchkey'
import OpenAI from 'openai'

export const createOpenAi = (client: Pick<Client, 'fetch'>, baseURL: string) =>
  new OpenAI({
    baseURL, // of a gateway that takes access tokens
    fetch: client.fetch,
    apiKey: 'unused', // it has to be there, and
    defaultHeaders: { Authorization: null }, // is not sent
    dangerouslyAllowBrowser: true, // no API key is in the page: the danger that this is about
  })
