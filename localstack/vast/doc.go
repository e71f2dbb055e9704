// Package vast drives a service with VAST's own clients, unmodified: with the command
// line vastpy-cli, and with the Python SDK vastpy. The tests of this package drive
// `apitoken serve --tls-self-signed`; localstack/stack drives the deployed stack.
//
// Only tests use this package.
package vast
