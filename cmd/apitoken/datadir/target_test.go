package datadir_test

import (
	"errors"
	"io/fs"
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

// TestOfTwoNewFilesOneIsWritten: the second process must not replace the token of the
// first one, which no command can show again.
func TestOfTwoNewFilesOneIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.token")
	first, err := datadir.NewTokenTarget(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := datadir.NewTokenTarget(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Write("one"); err != nil {
		t.Fatal(err)
	}
	if err := second.Write("two"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got error %v, want one for an existing file", err)
	}
	second.Discard()
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "one\n" {
		t.Errorf("got %q, %v, want the first text", text, err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("the files %v are left", left)
	}
	if _, err := datadir.NewTokenTarget(path); err == nil {
		t.Error("an existing file is accepted")
	}
}
