// Package machine answers HTTP requests for the faces of the service. A face is
// one HTTP interface: its routes, its wire types, the form of its problems and its
// document. The machine has all the rest: it finds the route, checks the
// credential, reads bodies and queries, writes the answer and the log line.
//
// It promises for every face:
//
//   - Every answer has a request id, and the log line of the request has the same
//     id.
//   - A refused request stores nothing.
//   - An outage is a 5xx, never a 401.
//   - No log line and no error contains a token, a large part of a token, a body or
//     a query. A log line has the pattern of a path, or an unknown path that is cut.
//
// It leaves decisions to others. Package guard decides whether a credential
// passes. Package issuer and the rules decide what the caller may do and which
// tokens the caller may see. The handler is plain net/http, so API Gateway, the
// local server and tests use the same one.
//
// The machine knows no face: it never compares a path with the path of a face.
package machine
