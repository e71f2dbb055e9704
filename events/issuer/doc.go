// Package issuer is the imperative shell around the rules: it reads a stream,
// lets the rules decide, commits what they decided, and begins again if the
// stream moved on meanwhile.
//
// It promises that a command takes effect once or not at all, that what it
// answered is durable, that an answer is never given on a guess (when the
// outcome of a write cannot be settled in time, the answer is a fault that says
// so), and that no head is trusted whose seal is broken.
//
// The rules are in events/token and events/settings; who is asking was found
// out by the guard; words on the wire belong to httpapi.
package issuer
