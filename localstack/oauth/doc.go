// Package oauth drives a service with two libraries of OAuth, unmodified: Authlib for
// Python and openid-client for Node.js. They introspect tokens as a resource server
// does (RFC 7662), revoke them as a client does (RFC 7009), and read the metadata of
// the service (RFC 9728). The tests of this package drive
// `apitoken serve --tls-self-signed`.
//
// Only tests use this package.
package oauth
