package console

import (
	"cmp"
	"runtime/debug"
)

// Unversioned is the version of a program that was not built from a commit.
const Unversioned = "(devel)"

// Release is the version that the Go tool wrote into the program, or Unversioned.
func Release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Unversioned
	}
	return cmp.Or(info.Main.Version, Unversioned)
}
