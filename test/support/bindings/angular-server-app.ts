import '@angular/compiler'
import { provideClientHydration } from '@angular/platform-browser'
import { provideServerRendering, renderApplication } from '@angular/platform-server'
import type { Client } from 'latchkey'
import { bootstrapAngular } from './angular-app.ts'

/** Renders the app of angular-app.ts as a server does. @returns the app and the data for its hydration. */
export async function renderAngular(client: Client): Promise<string> {
  const providers = [provideServerRendering(), provideClientHydration()]
  const html = await renderApplication(
    context => bootstrapAngular(client, { isServerRendered: true, providers, context }),
    { document: '<!doctype html><html><body><app-root></app-root></body></html>', url: '/' },
  )
  return /<app-root.*<\/script>/s.exec(html)?.[0].replace(/ ng-version="[^"]*"/, '') ?? html
}
