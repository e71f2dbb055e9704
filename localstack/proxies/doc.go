// Package proxies has the tests that real reverse proxies pass: nginx, Caddy and
// Traefik, each with the file that `apitoken config` prints. Each case compares what
// the client and the backend behind the proxy saw.
//
// Envoy is not available to the tests. A handler reads Envoy's file in its place, and
// does what the published description of ext_authz says.
package proxies
