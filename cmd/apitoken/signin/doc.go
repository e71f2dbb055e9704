// Package signin gets an ID token for a person from an issuer of OpenID Connect, as a
// public client: in the person's browser on this machine (RFC 8252), or on any other
// device (RFC 8628).
//
// It promises that nothing secret leaves the process but to the issuer, over https or to
// this machine: no program is started with the address of a sign-in in its arguments, and
// no error has a code or a token. It accepts only the answer to its own question (state,
// nonce, PKCE S256, RFC 9207). It leaves the decision about the ID token to the service,
// which checks the token again.
package signin
