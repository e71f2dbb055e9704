// Package httpapi is the service's own HTTP interface: the routes, the JSON types of
// requests and answers, the problem objects, the OpenAPI document that describes all
// of these, and a Go client. It is one of the faces of the service (package faces).
// Package machine serves them all, and promises what holds for each.
//
// Every answer of this face is JSON, except the OpenAPI document. Every error is a
// problem object (RFC 9457).
package httpapi
