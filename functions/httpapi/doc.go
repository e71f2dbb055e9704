// Package httpapi is the service's HTTP interface: the routes, what their
// requests and answers look like, the problem objects that refuse them, the
// OpenAPI document that describes all of it, and a Go client.
//
// It promises that every answer, whatever was asked, is JSON (the OpenAPI
// document aside) and carries a request id that finds the log line; that what
// is refused stores nothing; that an outage is a 5xx and never a 401; and that
// no token, body, query or foreign path reaches a log line or an error.
//
// It decides nothing: whether a credential passes is up to events/guard,
// what may be done and whose tokens may be seen is up to events/issuer and
// the rules. It is plain net/http, so the same handler answers API Gateway, the
// local server and tests.
package httpapi
