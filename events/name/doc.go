// Package name has the names of users and tokens: which texts name a user, the
// owner key of that user, and which texts a token's name may be.
//
// It promises that each owner key has one spelling: all spellings of a name that
// read alike have the same key, or are refused. Names follow RFC 8265. Letters of
// different scripts stay different, also if they look alike.
//
// It decides nothing about permissions and does not know which users exist. Only
// this package imports golang.org/x/text, whose tables are large, so the
// authorizer must not link it.
package name
