// Package clients makes clients from the OpenAPI document with four generators, and
// lets them call a running service. Each client has a short program here, which
// creates two tokens, uses one, lists two states in two pages, reads a history and
// revokes. All programs print the same.
//
// The generators are the engine "generators" of engines.sh, and the tool of the
// module oapi_codegen. What they make is in a temporary folder and is not kept.
//
// Only tests are in this package.
package clients
