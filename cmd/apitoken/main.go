// Command apitoken issues, lists, shows and revokes API tokens over HTTP, and
// serves that API from one local folder.
//
// Data goes to standard output; what is said to people goes to standard error.
// It exits with 0 when it did what it was asked, 1 when that was refused or
// went wrong, 2 when it was asked wrongly, and 130 when it was interrupted.
package main

import (
	"os"

	"apitoken/cmd/apitoken/cli"
)

func main() { os.Exit(cli.Main()) }
