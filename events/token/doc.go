// Package token has the rules for one owner's tokens: which commands are
// allowed, which facts they lead to, and how facts change the owner's state and
// each token's view.
//
// It sees values only. The command has the time, the minted id, the verifier,
// the settings and the powers of the caller. So the same state and command
// always give the same facts. The issuer reads states, stores facts and retries.
// Package secret mints and verifies secrets. The issuer and the guard decide
// which tokens a caller may see.
package token
