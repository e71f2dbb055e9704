package datadir_test

import (
	"os"
	"path/filepath"
	"testing"

	"apitoken/cmd/apitoken/datadir"
)

// TestDiscardLeavesTheReservationOfTheNextProcess: after a Write, or the first
// Discard, the next process may reserve space for the same file.
func TestDiscardLeavesTheReservationOfTheNextProcess(t *testing.T) {
	const id, text = "JhxND7ci", "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	for name, end := range map[string]func(*datadir.TokenTarget) error{
		"written":   func(first *datadir.TokenTarget) error { return first.Write(text) },
		"discarded": func(first *datadir.TokenTarget) error { first.Discard(); return nil },
	} {
		path := filepath.Join(t.TempDir(), "token")
		first, err := datadir.PrepareTokenTarget(path, id)
		if err == nil {
			err = end(first)
		}
		if err != nil {
			t.Fatal(err)
		}
		second, err := datadir.PrepareTokenTarget(path, id)
		if err != nil {
			t.Fatal(err)
		}
		first.Discard()
		if err := second.Write(text); err != nil {
			t.Errorf("%s: the next process: %v", name, err)
		}
		if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
			t.Errorf("%s: got %v, %v, want only the token's file", name, files, err)
		}
	}
}
