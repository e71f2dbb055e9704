// Package vast is the face in VAST's form: the paths, the JSON types, the statuses
// and the messages that VAST's REST API has for API tokens, so that scripts on
// vastpy, vastpy-cli and VAST's Go client work unchanged.
//
// The paths, members and statuses are those of VAST's published schema ("VAST
// Management REST API": apitokens, vms). What the clients send and read was seen on
// the wire with vastpy 0.3.22 and go-vast-client 0.156.0. Where VAST documents no
// text, the text is ours: the details of refusals and the strings that changes
// answer.
//
// It differs from VAST in these points:
//
//   - POST /api/token/ opens a session only if the service has passwords, and the
//     session is not a JWT. Nothing continues it: POST /api/token/refresh/ is refused.
//   - Basic with a password is refused with a text that says how to use a token. So
//     vastpy, which sends nothing else for a user and a password, needs a token.
//   - The whole token is a new secret of this service, not VAST's form.
//   - An unknown member or parameter is refused by name.
package vast
