import type { ProtectOptions, ProtectSettings } from './options.ts'

/** The protected-resource metadata of an API (RFC 9728). */
export interface ResourceMetadata {
  /** The metadata document. `undefined` without the option `resource`. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  /** The URL of the document (RFC 9728 section 3.1), which the challenges name. `undefined` without `resource`. */
  readonly metadataUrl: string | undefined
  /**
   * Answers a request for the metadata document.
   * @returns the response, or `undefined` for any other request.
   */
  serveMetadata(request: Request): Response | undefined
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** Any page may read the document, because it contains no secrets. */
const CORS = { 'access-control-allow-origin': '*' }

export function createResourceMetadata(
  { resource, issuers, algorithms, dpop }: ProtectSettings,
  { resource: named, scopes, metadata: more }: ProtectOptions,
): ResourceMetadata {
  if (!resource) return { metadata: undefined, metadataUrl: undefined, serveMetadata: () => undefined }
  // RFC 9728 section 3.1 inserts the well-known path before the resource's path
  const path = `${WELL_KNOWN}${resource.pathname.replace(/\/$/, '')}`
  const metadata = {
    ...more,
    resource: named, // exactly as configured (section 3.3)
    authorization_servers: issuers.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
    ...(scopes && { scopes_supported: scopes }),
    ...(dpop !== 'off' && { dpop_signing_alg_values_supported: algorithms }),
    ...(dpop === 'required' && { dpop_bound_access_tokens_required: true }),
  }
  return {
    metadata,
    metadataUrl: `${resource.origin}${path}${resource.search}`,
    serveMetadata({ url, method }) {
      if (new URL(url).pathname !== path) return undefined
      if (method === 'OPTIONS') return new Response(null, { status: 204, headers: CORS })
      if (method !== 'GET' && method !== 'HEAD')
        return new Response(null, { status: 405, headers: { ...CORS, allow: 'GET, HEAD, OPTIONS' } })
      const headers = { ...CORS, 'content-type': 'application/json', 'cache-control': 'max-age=3600' }
      return new Response(method === 'HEAD' ? null : JSON.stringify(metadata), { headers })
    },
  }
}
