export const ssr = false // a server does not know who is signed in
