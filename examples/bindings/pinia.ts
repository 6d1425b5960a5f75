import type { Client } from 'latchkey'
import { onUserChange } from 'latchkey/vue'
import type { Pinia, StoreDefinition } from 'pinia'

/** Resets stores when the signed-in user changes. @param stores the stores with one user's data. */
export const forgetUsers = (client: Client, pinia: Pinia, stores: StoreDefinition[]) =>
  onUserChange(client, () => {
    for (const storeOf of stores) {
      const store = storeOf(pinia)
      store.$dispose()
      delete pinia.state.value[store.$id]
    }
  })
