// Package qumulo drives a service with Qumulo's own clients, unmodified: with the
// command line qq, and with its Python bindings. The tests of this package drive
// `apitoken serve --tls-self-signed`; localstack/stack drives the deployed stack.
//
// Only tests use this package.
package qumulo
