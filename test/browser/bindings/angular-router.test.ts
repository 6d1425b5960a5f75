import '@angular/compiler'
import { APP_BASE_HREF } from '@angular/common'
import { HttpClient, HttpErrorResponse, HttpHeaders, provideHttpClient } from '@angular/common/http'
import { Component, inject, provideZonelessChangeDetection } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import { provideRouter, Router, RouterOutlet } from '@angular/router'
import type { Client } from 'latchkey'
import { provideLatchkey, requireSession } from 'latchkey/angular'
import { provideLatchkeyBackend } from 'latchkey/angular-http'
import { firstValueFrom } from 'rxjs'
import { afterEach, expect, test } from 'vitest'
import { guardContract, type RouterDriver } from '../../contracts/guard.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'

// decorators are functions: this test does in the browser what an app's compiler would do
function page(name: string) {
  class Page {}
  Component({ template: `<p id="page">${name}</p>` })(Page)
  return Page
}
class App {
  readonly http = inject(HttpClient)
  readonly router = inject(Router)
}
Component({ selector: 'app-root', imports: [RouterOutlet], template: '<router-outlet />' })(App)

const driver = (name: string, kind: 'canActivate' | 'canMatch'): RouterDriver => ({
  name,
  async open(client, root, guard) {
    root.append(document.createElement('app-root'))
    const app = await bootstrapApplication(App, {
      providers: [
        provideZonelessChangeDetection(),
        { provide: APP_BASE_HREF, useValue: '/' },
        provideLatchkey(client),
        provideHttpClient(),
        provideLatchkeyBackend(),
        provideRouter([
          { path: '', pathMatch: 'full', component: page('home') },
          { path: 'welcome', component: page('welcome') },
          {
            path: 'callback',
            component: page('callback'),
            canActivate: [requireSession({ ...guard, beginSignIn: false })],
          },
          { path: 'notes', component: page('notes'), [kind]: [requireSession(guard)] },
        ]),
      ],
    })
    const router = app.injector.get(Router)
    return { go: path => router.navigateByUrl(path).catch(() => {}), close: () => app.destroy() }
  },
})

guardContract(driver('latchkey/angular in canActivate', 'canActivate'))
guardContract(driver('latchkey/angular in canMatch', 'canMatch'))

const world = pageWorlds()
let destroy = () => {}
afterEach(() => {
  destroy()
  document.querySelector('app-root')?.remove()
})

async function httpOf(client: Client): Promise<HttpClient> {
  document.body.append(document.createElement('app-root'))
  const providers = [
    provideZonelessChangeDetection(),
    provideLatchkey(client),
    provideRouter([]),
    provideHttpClient(),
    provideLatchkeyBackend(),
  ]
  const app = await bootstrapApplication(App, { providers })
  destroy = () => app.destroy()
  return app.injector.get(HttpClient)
}

test('HttpClient sends with client.fetch: one refresh and one replay after a 401, with complete bodies and headers', async () => {
  const w = world()
  const sent: { url: string; method: string; body: string; headers: Record<string, string> }[] = []
  const client = w.client({}, async request => {
    sent.push({
      url: request.url,
      method: request.method,
      body: await request.text(),
      headers: Object.fromEntries(request.headers),
    })
    return sent.length === 1
      ? new Response(null, { status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } })
      : Response.json({ made: true }, { status: 201, headers: { 'x-answer': 'yes' } })
  })
  await client.start()
  await client.signIn({ userAgent: w.agreeing('alice') })
  const http = await httpOf(client)
  const answer = await firstValueFrom(
    http.post<{ made: boolean }>(
      'https://api.example.com/notes',
      { text: 'hello' },
      { observe: 'response', params: { at: '1' }, headers: new HttpHeaders({ 'x-own': 'kept' }) },
    ),
  )
  expect([answer.status, answer.body, answer.headers.get('x-answer')]).toEqual([201, { made: true }, 'yes'])
  expect(sent).toHaveLength(2)
  for (const request of sent) {
    expect(request).toMatchObject({
      url: 'https://api.example.com/notes?at=1',
      method: 'POST',
      body: '{"text":"hello"}',
    })
    expect(request.headers).toMatchObject({ 'x-own': 'kept', 'content-type': 'application/json' })
  }
  expect(sent[0]?.headers.authorization).not.toBe(sent[1]?.headers.authorization)
})

test('HttpClient reports error responses and latchkey errors as HttpErrorResponse', async () => {
  const w = world()
  const client = w.client({}, async () => Response.json({ no: 'such note' }, { status: 404 }))
  await client.start()
  const http = await httpOf(client)
  const failed = (url: string) => firstValueFrom(http.get(url)).catch((error: unknown) => error)
  const signedOut = await failed('https://api.example.com/notes')
  expect(signedOut).toBeInstanceOf(HttpErrorResponse)
  expect(signedOut).toMatchObject({ status: 0, error: { code: 'ERR_AUTHORIZATION_REQUIRED' } })
  await client.signIn({ userAgent: w.agreeing('alice') })
  expect(await failed('https://api.example.com/notes/7')).toMatchObject({
    status: 404,
    error: { no: 'such note' },
  })
})

test('an HttpClient request is aborted when its last subscriber leaves', async () => {
  const w = world()
  let signal: AbortSignal | undefined
  const client = w.client({}, request => {
    signal = request.signal
    return new Promise(() => {})
  })
  await client.start()
  await client.signIn({ userAgent: w.agreeing('alice') })
  const http = await httpOf(client)
  const subscription = http.get('https://api.example.com/slow').subscribe()
  await expect.poll(() => signal?.aborted).toBe(false)
  subscription.unsubscribe()
  expect(signal?.aborted).toBe(true)
})
