import '@angular/compiler'
import { ChangeDetectionStrategy, Component, provideZonelessChangeDetection } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import type { Client } from 'latchkey'
import { injectSession, injectSignInError, injectUserKey, provideLatchkey } from 'latchkey/angular'

// Angular's compiler runs in the browser here: it applies the decorators as functions
class Mine {
  readonly session = injectSession()
  get sub() {
    const session = this.session()
    return session.status === 'signed-in' ? session.claims?.sub : undefined
  }
}
Component({
  selector: 'app-mine',
  template: '<section><p id="user">{{ sub }}</p><input id="draft"></section>',
  changeDetection: ChangeDetectionStrategy.OnPush,
})(Mine)

class App {
  readonly session = injectSession()
  readonly user = injectUserKey()
  readonly error = injectSignInError()
}
Component({
  selector: 'app-root',
  imports: [Mine],
  template: `
    <p id="status">{{ session().status }}</p>
    <p id="error">{{ error()?.message }}</p>
    @if (user() !== undefined) { @for (key of [user()]; track key) { <app-mine /> } }`,
  changeDetection: ChangeDetectionStrategy.OnPush,
})(App)

/** The app of the binding contract. @returns a function that unmounts it. */
export async function mountAngular(client: Client, root: HTMLElement, isServerRendered = false) {
  root.append(document.createElement('app-root'))
  const providers = [provideZonelessChangeDetection(), provideLatchkey(client, { isServerRendered })]
  const app = await bootstrapApplication(App, { providers })
  return () => app.destroy()
}
