// Package httpapi is the HTTP interface of the service: the routes, the JSON
// types of requests and answers, the problem objects, the OpenAPI document that
// describes all of these, and a Go client.
//
// It promises:
//
//   - Every answer is JSON, except the OpenAPI document. Every answer has a
//     request id, and the log line of the request has the same id.
//   - A refused request stores nothing.
//   - An outage is a 5xx, never a 401.
//   - No log line and no error contains a token, a large part of a token, a body or
//     a query. A log line has the pattern of a path, or an unknown path that is cut.
//
// It leaves decisions to others. Package guard decides whether a credential
// passes. Package issuer and the rules decide what the caller may do and which
// tokens the caller may see. The handler is plain net/http, so API Gateway, the
// local server and tests use the same one.
package httpapi
