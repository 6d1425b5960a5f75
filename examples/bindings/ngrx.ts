import { type ActionReducer, createAction, type Store } from '@ngrx/store'
import type { Client } from 'latchkey'
import { onUserChange } from 'latchkey/angular'

const userChanged = createAction('[Session] User Changed')

/** Use it as `provideStore(reducers, { metaReducers: [resetOnUserChange] })`: every reducer begins with its initial state. */
export const resetOnUserChange =
  <State>(reducer: ActionReducer<State>): ActionReducer<State> =>
  (state, action) =>
    reducer(action.type === userChanged.type ? undefined : state, action)

/** Resets the store when the signed-in user changes. */
export const forgetUsers = (client: Client, store: Store) =>
  onUserChange(client, () => store.dispatch(userChanged()))
