// For njs, the JavaScript of nginx: asks the authorization server about the token of a request (RFC 7662).

const CREDENTIALS = /^Bearer +([\w.~+/-]+=*)$/i

function refuse(r, status, challenge) {
  r.headersOut['WWW-Authenticate'] = challenge
  r.return(status)
}

/** Answers the subrequest of `auth_request`: 204, 401, 403, or 500 if the authorization server does not answer. */
async function authorize(r) {
  const sent = r.headersIn.Authorization
  // no error code in the challenge if there was no token (RFC 6750 section 3.1)
  if (!sent) return refuse(r, 401, 'Bearer')
  const parts = CREDENTIALS.exec(sent)
  if (!parts) return refuse(r, 401, 'Bearer error="invalid_token"')
  const body = `token=${encodeURIComponent(parts[1])}&token_type_hint=access_token`
  const answer = await r.subrequest('/_introspect', { method: 'POST', body })
  if (answer.status !== 200) return r.return(500)
  let claims
  try {
    claims = JSON.parse(answer.responseText)
  } catch (_) {
    return r.return(500)
  }
  if (claims.active !== true) return refuse(r, 401, 'Bearer error="invalid_token"')
  const needed = r.variables.needed_scope
  const granted = String(claims.scope || '').split(' ')
  if (needed && granted.indexOf(needed) < 0)
    return refuse(r, 403, `Bearer error="insufficient_scope", scope="${needed}"`)
  r.headersOut['X-Sub'] = String(claims.sub || '')
  r.headersOut['X-Scope'] = granted.join(' ')
  r.return(204)
}

export default { authorize }
