// Package session has the rules for the sessions of one owner: when one is opened,
// when it ends, and what the log keeps about it. A session is a token that a sign-in
// opens. The guard checks it like a token.
//
// Sessions have a stream of their own. So the limit, the head and the write units of
// an owner's tokens do not depend on them. Like package token, this package sees
// values only: no clock, no randomness, no store.
//
// It promises:
//   - An owner has at most MaxSessions live sessions; one more ends the oldest, first of
//     those that tokens and JWTs opened.
//   - A session lives MaxLife at most. It never changes, and is never rotated.
//   - Every end of a session is one SessionClosed.
//   - A suspended owner has no session, and no session is opened for the owner.
//
// It decides nothing about who may open or end a session. Package issuer does, and
// the packages that prove who signs in.
package session
