import type { Client } from 'latchkey'
import { onUserChange } from 'latchkey/vue'
import type { Pinia, StoreDefinition } from 'pinia'

/** @param stores those that hold what belongs to one user. */
export const forgetUsers = (client: Client, pinia: Pinia, stores: StoreDefinition[]) =>
  onUserChange(client, () => {
    for (const storeOf of stores) {
      const store = storeOf(pinia)
      store.$dispose()
      delete pinia.state.value[store.$id]
    }
  })
