/** What the page's server says: see `startPages()`. */
export const readConfig = () => {
  const { content = '{}' } = document.querySelector<HTMLMetaElement>('meta[name=config]') ?? {}
  return JSON.parse(content)
}

/** How a library reaches its authorization server and the API. */
export interface PageConfig {
  readonly issuer: string
  readonly clientId: string
  readonly apiOrigins: readonly string[]
  readonly apiUrl: string
}

/** A library as its documentation has a single-page app use it. */
export interface Peer {
  /** Leaves the page. */
  signIn(): Promise<unknown>
  /** On the callback page. */
  finishSignIn(): Promise<unknown>
  /** On any other page. `isStart`: the app is starting, calls follow at once. */
  restore(isStart: boolean): Promise<unknown>
  call(url: string): Promise<Response>
}

export const scope = 'openid profile offline_access notes:read'
