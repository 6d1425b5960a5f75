import { createHash } from 'node:crypto'

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, character => escapes[character] ?? '')

const style = `
:root{color-scheme:light dark;--ground:#f3f0f7;--card:#fff;--ink:#221a2e;--soft:#675d75;--line:#d9d1e4;--accent:#6b3fa0;--on-accent:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#16121c;--card:#201a29;--ink:#f1ecf7;--soft:#ada1bd;--line:#3c3249;--accent:#c3a0f2;--on-accent:#1d1029}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--ink);
font:1rem/1.5 -apple-system,BlinkMacSystemFont,"Segoe UI",Roboto,"Noto Sans",Ubuntu,Cantarell,"DejaVu Sans Condensed",sans-serif}
main{width:100%;max-width:24rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--accent);border-radius:.75rem}
.who{margin:0 0 1.5rem;font-size:.8125rem;letter-spacing:.06em;color:var(--accent);font-weight:650}
h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.2;letter-spacing:-.01em}
p{margin:0 0 1.25rem;color:var(--soft)}p strong{color:var(--ink)}
label{display:block;margin-bottom:.375rem;font-weight:600}
input{width:100%;padding:.7rem .8rem;font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:.5rem}
ul{margin:0 0 1.5rem;padding:0;list-style:none}
li{padding:.55rem 0;border-bottom:1px solid var(--line)}li:first-child{border-top:1px solid var(--line)}
code{font:.8125rem ui-monospace,Menlo,Consolas,monospace;color:var(--soft);float:right;line-height:1.85}
.choices{display:flex;gap:.625rem;margin-top:1.25rem}
button{flex:1;padding:.7rem 1rem;font:inherit;font-weight:600;color:var(--ink);background:transparent;border:1px solid var(--line);border-radius:.5rem;cursor:pointer}
button.yes{color:var(--on-accent);background:var(--accent);border-color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
`

const submitAtOnce = "document.forms[0].requestSubmit(document.querySelector('[name=logout]'))"
const submitAtOnceHash = createHash('sha256').update(submitAtOnce).digest('base64')

/** `form-action` is left out: Chromium applies it to the redirect back to the app too. */
export const interactionPolicy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${submitAtOnceHash}'; base-uri 'none'; frame-ancestors 'none'`

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · demo authorization server</title>
<style>${style}</style>
</head>
<body>
<main>
<p class="who">Demo authorization server</p>
${body}
</main>
</body>
</html>
`

export const signInPage = (clientName: string, problem?: string) =>
  page(
    'Sign in',
    `<h1>Sign in</h1>
<p>to continue to <strong>${escapeHtml(clientName)}</strong>. Use any user name; there is no password.</p>
<form method="post">
<label for="user">User name</label>
<input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus${
      problem ? ' aria-invalid="true" aria-describedby="problem"' : ''
    }>
${problem ? `<p id="problem" role="alert">${escapeHtml(problem)}</p>` : ''}
<div class="choices"><button class="yes" name="decision" value="allow">Sign in</button>
<button name="decision" value="deny" formnovalidate>Cancel</button></div>
</form>`,
  )

const meanings: Readonly<Record<string, string>> = {
  openid: 'See who you are',
  profile: 'See your name',
  offline_access: 'Keep you signed in',
  'notes:read': 'Read your notes',
  'notes:write': 'Add notes',
}

export const consentPage = (clientName: string, userName: string, scopes: readonly string[]) =>
  page(
    'Allow access',
    `<h1>Allow access?</h1>
<p><strong>${escapeHtml(clientName)}</strong> asks <strong>${escapeHtml(userName)}</strong> for permission to:</p>
<ul>${scopes
      .map(scope => `<li>${escapeHtml(meanings[scope] ?? scope)}<code>${escapeHtml(scope)}</code></li>`)
      .join('')}</ul>
<form method="post">
<div class="choices"><button class="yes" name="decision" value="allow" autofocus>Allow</button>
<button name="decision" value="deny">Deny</button></div>
</form>`,
  )

export const signOutPage = (form: string, atOnce: boolean) =>
  page(
    'Sign out',
    `<h1>Sign out?</h1>
<p>This ends your session at the authorization server.</p>
${form}
<div class="choices"><button class="yes" form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>
<button form="op.logoutForm">Stay signed in</button></div>
${atOnce ? `<script>${submitAtOnce}</script>` : ''}`,
  )

export const messagePage = (title: string, text: string) =>
  page(title, `<h1>${escapeHtml(title)}</h1>\n<p>${escapeHtml(text)}</p>`)
