// Package issuer runs the calls of the API. For a command it reads a stream, lets
// the rules decide, and commits the facts. If the stream has a newer version by
// then, it reads and decides again.
//
// It promises:
//   - A command takes effect once or not at all.
//   - A change is durable before the issuer answers.
//   - No answer is a guess. If the outcome of a write is still unknown at the
//     deadline, the answer is a fault that says so.
//   - A head, a view or a record that something other than this service wrote
//     is a fault. Nothing is decided from it, and no call shows it. A list leaves
//     such a view out and logs it.
//   - Revoke ends every live token, also if something put its view back.
//
// The rules are in events/token and events/settings. The guard has checked the
// caller's credential before. Package httpapi has the wire format.
package issuer
