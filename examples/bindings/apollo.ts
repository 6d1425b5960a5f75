import type { ApolloClient } from '@apollo/client'
import type { Client } from 'latchkey'
import { onUserChange } from 'latchkey/react'

export const forgetUsers = (client: Client, apollo: ApolloClient) =>
  onUserChange(client, () => apollo.clearStore())
