// Package generated writes the documents that programs make from their sources, and
// checks that a stored document is what its program makes now.
package generated

import (
	"bytes"
	"fmt"
	"os"
)

// File writes want into the file at path. With check it writes nothing, and returns an
// error if the file has another content. The error ends with rule, which names the
// sources and the command that writes the file.
func File(check bool, path string, want []byte, rule string) error {
	if !check {
		return os.WriteFile(path, want, 0o644)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s does not match %s", path, rule)
	}
	return nil
}
