import { HttpClient, provideHttpClient } from '@angular/common/http'
import { Component, inject, signal } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import { ActivatedRoute, provideRouter, RouterOutlet } from '@angular/router'
import { createClient } from 'latchkey'
import { injectUserKey, provideLatchkey, requireSession } from 'latchkey/angular'
import { provideLatchkeyBackend } from 'latchkey/angular-http'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

@Component({
  selector: 'app-welcome',
  template: `<button type="button" id="sign-in" (click)="signIn()">Sign in</button>`,
})
class Welcome {
  readonly query = inject(ActivatedRoute).snapshot.queryParamMap
  signIn() {
    return client.signIn({ returnTo: this.query.get('returnTo') ?? '/notes' })
  }
}

@Component({
  selector: 'app-notes',
  template: `
    @for (key of [user()]; track key) {
      <p id="user">{{ key }}</p>
      <p id="notes">{{ notes()?.length }}</p>
    }
    <button type="button" id="sign-out" (click)="signOut()">Sign out</button>`,
})
class Notes {
  readonly user = injectUserKey()
  readonly notes = signal<unknown[] | undefined>(undefined)
  constructor() {
    inject(HttpClient)
      .get<unknown[]>(apiUrl)
      .subscribe(notes => this.notes.set(notes))
  }
  signOut() {
    return client.signOut()
  }
}

@Component({ selector: 'app-root', imports: [RouterOutlet], template: '<router-outlet />' })
class App {}

const canActivate = [requireSession({ signedOutPath: '/' })]
const routes = [
  { path: '', component: Welcome },
  { path: 'callback', component: Notes, canActivate },
  { path: 'notes', component: Notes, canActivate },
]

await bootstrapApplication(App, {
  providers: [provideRouter(routes), provideHttpClient(), provideLatchkey(client), provideLatchkeyBackend()],
})
