import '@angular/compiler'
import {
  type ApplicationConfig,
  ChangeDetectionStrategy,
  Component,
  provideZonelessChangeDetection,
} from '@angular/core'
import {
  type BootstrapContext,
  bootstrapApplication,
  provideClientHydration,
} from '@angular/platform-browser'
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

interface BootstrapOptions {
  readonly isServerRendered?: boolean
  readonly providers?: ApplicationConfig['providers']
  readonly context?: BootstrapContext
}

/** Starts the app of the binding contract in the `app-root` of a document. */
export const bootstrapAngular = (
  client: Client,
  { isServerRendered = false, providers = [], context }: BootstrapOptions,
) =>
  bootstrapApplication(
    App,
    {
      providers: [
        provideZonelessChangeDetection(),
        provideLatchkey(client, { isServerRendered }),
        ...providers,
      ],
    },
    context,
  )

/** Mounts the app of the binding contract. @returns a function that unmounts it. */
export async function mountAngular(client: Client, root: HTMLElement, isServerRendered = false) {
  root.append(document.createElement('app-root'))
  const app = await bootstrapAngular(client, { isServerRendered })
  return () => app.destroy()
}

/** Hydrates `angularHtml` in `root`. @returns a function that unmounts it. */
export async function hydrateAngular(client: Client) {
  const marker = document.createComment('nghm') // Angular's server puts it at the start of the body
  document.body.prepend(marker)
  const app = await bootstrapAngular(client, {
    isServerRendered: true,
    providers: [provideClientHydration()],
  })
  return () => {
    app.destroy()
    marker.remove()
  }
}
