// Package qumulo has tests that run Qumulo's own clients, unmodified, against
// `apitoken serve --tls-self-signed`: the command line qq, and its Python bindings.
package qumulo
