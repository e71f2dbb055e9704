// Package forward answers reverse proxies that ask whether a request of their client
// may pass: nginx (auth_request), Traefik (forwardAuth), Caddy (forward_auth) and
// Envoy (ext_authz over HTTP).
//
// It promises:
//   - The word in the path says which headers are read, and no others are. A header
//     that is missing, or that a client could have added, is never replaced by a
//     guess: the answer is a 500 that names it.
//   - A request passes exactly with the status 200. Then the four identity headers
//     are always there, in ASCII, so that the proxy overwrites a client's own ones.
//   - A refusal is 401 or 403. A fault is 503, so a client never takes an outage for
//     a wrong token.
//   - Only this machine, and the peers that the operator names, may ask.
//   - No query of a request reaches the log.
//
// The guard gives the verdict. This package only translates the question and the
// answer. The snippets for the proxies are in cmd/apitoken/proxyconfig.
package forward
