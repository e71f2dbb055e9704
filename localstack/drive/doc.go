// Package drive has what the drives of the vendors' clients share: a session of
// commands with their expected output, and a running `apitoken serve`.
//
// Only tests use this package.
package drive
