import {
  HttpBackend,
  HttpErrorResponse,
  type HttpEvent,
  HttpEventType,
  HttpHeaders,
  type HttpRequest,
  HttpResponse,
} from '@angular/common/http'
import { type EnvironmentProviders, inject, makeEnvironmentProviders } from '@angular/core'
import { Observable } from 'rxjs'
import type { Client } from '../public-types.ts'
import { LATCHKEY } from './angular.ts'

/** A prefix that some servers put in front of JSON, so that other sites cannot include it as a script. */
const XSSI_PREFIX = /^\)\]\}',?\n/

/** Parses a body as the caller's `responseType` says. @throws SyntaxError if a successful response is not JSON. */
async function readBody(response: Response, as: HttpRequest<unknown>['responseType']): Promise<unknown> {
  if (as === 'blob') return response.blob()
  if (as === 'arraybuffer') return response.arrayBuffer()
  const text = await response.text()
  if (as === 'text') return text
  const json = text.replace(XSSI_PREFIX, '')
  if (!json) return null
  try {
    return JSON.parse(json)
  } catch (error) {
    if (response.ok) throw Object.assign(new SyntaxError('The body is not JSON.', { cause: error }), { text })
    return text
  }
}

function toInit(request: HttpRequest<unknown>, signal: AbortSignal): RequestInit {
  const headers = new Headers()
  for (const name of request.headers.keys()) {
    for (const value of request.headers.getAll(name) ?? []) headers.append(name, value)
  }
  if (!headers.has('Accept')) headers.set('Accept', 'application/json, text/plain, */*')
  const type = request.detectContentTypeHeader()
  if (type && !headers.has('Content-Type')) headers.set('Content-Type', type)
  const { method, keepalive, cache, priority, mode, redirect, withCredentials } = request
  const credentials = withCredentials ? 'include' : request.credentials
  const given = { keepalive, cache, priority, mode, redirect, credentials }
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
  return { method, headers, body: request.serializeBody() as BodyInit | null, signal, ...own }
}

async function send(
  client: Client,
  request: HttpRequest<unknown>,
  signal: AbortSignal,
): Promise<HttpResponse<unknown>> {
  const url = request.urlWithParams
  let answer: { status: number; statusText?: string; url: string; headers?: HttpHeaders } = { status: 0, url }
  let error: unknown
  try {
    const response = await client.fetch(url, toInit(request, signal))
    const { status, statusText } = response
    answer = { status, statusText, url: response.url || url, headers: new HttpHeaders(response.headers) }
    const body = await readBody(response, request.responseType)
    if (response.ok) return new HttpResponse({ ...answer, body })
    error = body
  } catch (reason) {
    error = reason
  }
  throw new HttpErrorResponse({ ...answer, error })
}

/**
 * Makes `HttpClient` send its requests with `client.fetch`: requests to `allowedOrigins` get the access token, and a 401
 * leads to one refresh and one replay. Put it after `provideHttpClient()`. Interceptors work as usual. It reports no
 * progress. If a request fails without a response, `HttpErrorResponse.error` is the error of `client.fetch`, such as a
 * `LatchkeyError`.
 * @example
 * providers: [provideLatchkey(client), provideHttpClient(), provideLatchkeyBackend()]
 */
export const provideLatchkeyBackend = (): EnvironmentProviders =>
  makeEnvironmentProviders([
    {
      provide: HttpBackend,
      useFactory: (): HttpBackend => {
        const client = inject(LATCHKEY)
        return {
          handle: (request: HttpRequest<unknown>) =>
            new Observable<HttpEvent<unknown>>(observer => {
              const aborting = new AbortController()
              observer.next({ type: HttpEventType.Sent })
              send(client, request, aborting.signal).then(
                response => {
                  observer.next(response)
                  observer.complete()
                },
                error => observer.error(error),
              )
              return () => aborting.abort()
            }),
        }
      },
    },
  ])
