// Package guard turns a credential into a principal: whose token it is, and
// which calls it admits.
//
// It promises that garbage costs no read and everything else exactly one, that
// an unknown token and a wrong secret are refused byte for byte alike, that
// why a token no longer works is told only to whoever holds its secret, and
// that trouble with the store or the peppers is an error and never a refusal.
//
// The authorizer, the local server and the handlers all decide with it, so
// that they cannot disagree. What a principal may do to other people's tokens
// is for the issuer and the rules behind it.
package guard
