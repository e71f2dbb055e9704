package main

import (
	"path/filepath"
	"testing"
)

func TestReferenceMatchesTheHelpTexts(t *testing.T) {
	if err := run(true, filepath.Join("..", "apitoken", "REFERENCE.md")); err != nil {
		t.Error(err)
	}
}
