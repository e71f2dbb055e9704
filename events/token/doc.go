// Package token holds the rules for one owner's tokens: which commands are
// lawful, which facts they bring about, and what those facts make of the
// owner's state and of each token's view.
//
// It sees values only. The time, the minted id, the verifier, the settings and
// the powers of whoever asks are all part of the command, so the same state
// and command always give the same facts. Reading a state, storing facts and
// trying again are left to the issuer; minting and verifying secrets to
// package secret; who may see what to the issuer and the guard.
package token
