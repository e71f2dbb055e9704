// Command apitoken issues, lists, shows and revokes API tokens over HTTP. It
// also serves that API from one local folder, gives the administrator a token
// directly in a store, and audits a log.
//
// It writes data to standard output and messages for people to standard error.
// The exit code is 0 after success, 1 after a refusal or another failure, 2
// after wrong usage, and 130 after an interruption.
package main

import (
	"os"

	"apitoken/cmd/apitoken/cli"
)

func main() { os.Exit(cli.Main()) }
