// Package issuer runs the calls of the API. For a command it reads a stream, lets
// the rules decide, and commits the facts. If the stream has a newer version by
// then, it reads and decides again.
//
// It promises:
//   - A command takes effect once or not at all.
//   - A change is durable before the issuer answers.
//   - No answer is a guess. If the outcome of a write is still unknown at the
//     deadline, the answer is a fault that says so.
//   - A head with a broken seal is a fault, and nothing is decided from it.
//
// The rules are in events/token and events/settings. The guard has checked the
// caller's credential before. Package httpapi has the wire format.
package issuer
