// Package guard checks credentials. A credential that passes becomes a
// principal: the owner, the token, and the calls that the token allows.
//
// It promises:
//   - A credential with a wrong form or checksum costs no read of the store.
//     Every other credential costs exactly one read.
//   - An unknown token and a wrong secret get the same denial, byte for byte.
//   - Only a caller with the secret learns why a token no longer works.
//   - A fault of the store or of the peppers is an error and never a denial.
//   - An outgoing secret that is shown after its grace is denied, and published as
//     TokenReused at most once for each token and day.
//   - A use or a notice that cannot be stored delays an answer by 100 ms at most,
//     and never changes it.
//   - A view that something other than this service changed is such a fault. It
//     lets no caller pass, and denies none.
//
// The authorizer, the local server and the handlers all decide with it, so they
// cannot disagree. The issuer and the rules decide what a principal may do to
// the tokens of other users.
package guard
