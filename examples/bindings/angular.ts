import { HttpClient, provideHttpClient } from '@angular/common/http'
import { Component, inject } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import { provideRouter, RouterOutlet } from '@angular/router'
import { createClient } from 'latchkey'
import { injectSession, injectSignInError, LATCHKEY, provideLatchkey, requireSession } from 'latchkey/angular'
import { provideLatchkeyBackend } from 'latchkey/angular-http'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

@Component({
  selector: 'app-welcome',
  template: `<p>{{ error()?.message }}</p><button (click)="signIn()">Sign in</button>`,
})
class Welcome {
  private readonly client = inject(LATCHKEY)
  readonly error = injectSignInError()
  signIn() {
    const returnTo = new URLSearchParams(location.search).get('returnTo') ?? '/'
    return this.client.signIn({ returnTo })
  }
}

@Component({
  selector: 'app-notes',
  template: `
    @if (session(); as current) { @if (current.status === 'signed-in') { <p>Hello {{ current.claims?.sub }}</p> } }
    <button (click)="client.signOut()">Sign out</button>`,
})
class Notes {
  readonly client = inject(LATCHKEY)
  readonly session = injectSession()
  readonly notes = inject(HttpClient).get<string[]>('https://api.example.com/notes')
}

@Component({ selector: 'app-root', imports: [RouterOutlet], template: '<router-outlet />' })
class App {}

const guard = requireSession({ signedOutPath: '/welcome' })

bootstrapApplication(App, {
  providers: [
    provideLatchkey(client),
    provideHttpClient(),
    provideLatchkeyBackend(), // HttpClient sends with client.fetch
    provideRouter([
      { path: 'welcome', component: Welcome },
      { path: 'callback', component: Notes, canActivate: [guard] }, // the guard shows the page where the sign-in began
      { path: '', component: Notes, canActivate: [guard] },
    ]),
  ],
})
