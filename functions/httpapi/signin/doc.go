// Package signin has the two calls that sign a person in with a browser, at an issuer of
// OpenID Connect: /ui/login sends the browser there, /ui/callback gets it back, opens a
// session and gives the browser the session's token as a cookie.
//
// It promises:
//   - Only the browser that began a sign-in ends it, within ten minutes and once: state,
//     nonce and the verifier of PKCE are in a sealed cookie, and nowhere else.
//   - The browser is sent to the issuer's own address and to paths below /ui/, and to no
//     other place that a link could name.
//   - A problem is an HTML page, because a person reads it.
//
// Which issuers there are, and how their answers are checked, is left to
// machine.Identities.
package signin
