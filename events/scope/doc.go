// Package scope compares calls with the scopes of a token. A scope is the text
// METHOD PATH. METHOD may be "*". PATH may end in "*", which also matches slashes.
// A list without scopes allows every call.
//
// It promises:
//   - CallOf is the only way to make a call that scopes can allow. The guard, the
//     authorizer's policies and the introspection all use its rules.
//   - A backend may read the path of an allowed call as it was sent, decoded once,
//     or without its path parameters (";x" in a segment). Each of these readings is
//     within the scopes.
//   - A scope that is Within another one allows no further call.
//
// The rules in events/token refuse texts that are not scopes. The guard decides
// which scopes a request has.
package scope
