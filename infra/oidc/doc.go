// Package oidc checks the identities of OpenID Connect providers: the ID token of a
// person who signs in with a browser or a command line, and the JWT of a program.
//
// It promises:
//   - A refusal (*events.Refusal) is about what the client sent. A provider that does not
//     answer, or answers nonsense, is an error of another type: it never looks like a
//     wrong credential.
//   - A JWT passes only with one of four signatures, the exact issuer, an audience of the
//     settings and an expiry, within a minute of the clock.
//   - No text that a client sends decides which address is fetched. Every fetch has a
//     timeout and a bound, and uses TLS, except with a provider on the same machine.
//   - No error has a secret, a code, a JWT, or a text of a provider that is not short
//     and plain.
//
// It remembers what a provider published for ten minutes, and nothing about sign-ins.
// Which user an identity is, and what the groups give, is left to its callers.
package oidc
