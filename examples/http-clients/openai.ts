import type { Client } from 'latchkey'
import OpenAI from 'openai'

export const createOpenAi = (client: Pick<Client, 'fetch'>, baseURL: string) =>
  new OpenAI({
    baseURL, // the URL of a gateway that accepts access tokens
    fetch: client.fetch,
    apiKey: 'unused', // required by the SDK,
    defaultHeaders: { Authorization: null }, // and not sent
    dangerouslyAllowBrowser: true, // the page contains no API key, which is the danger this option warns about
  })
