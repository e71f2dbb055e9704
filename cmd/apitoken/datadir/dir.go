package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// makeDir makes the folder, or takes over an empty one that stands there.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	if len(entries) > 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing the data folder to others: %w", err)
	}
	return nil
}

// checkDir refuses a folder that is something else, one that others may enter,
// and one that lost its store. Whether it is ours comes first: nobody is to be
// told to lock others out of a folder that was named by mistake.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	}
	trace := traceOf(dir)
	if trace == "" {
		if err := foreign(dir); err != nil {
			return err
		}
	}
	if err := private(dir, info, "700"); err != nil {
		return err
	}
	if trace != "" && hollow(dir, storeFile) {
		return fmt.Errorf("%s is missing or empty though %s shows that there was one: put it back, or serve from another folder", filepath.Join(dir, storeFile), trace)
	}
	return nil
}

// traceOf is a file of ours that comes about only when there is a store, empty
// if the folder has none.
func traceOf(dir string) string {
	for _, name := range []string{eventsFile, adminFile} {
		if exists(dir, name) {
			return name
		}
	}
	return ""
}

// hollow says that a file is missing or empty. A new store in its place would
// forget every token and every limit in silence.
func hollow(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() == 0)
}

// foreign refuses a folder that holds files which are not ours, such as a home
// folder given by mistake, unless a store of ours is among them.
func foreign(dir string) error {
	if exists(dir, storeFile) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() != pepperFile && e.Name() != markerFile && !strings.Contains(e.Name(), tempMark) {
			return fmt.Errorf("%s is no data folder of apitoken: it holds %q; name an empty or a new one", dir, e.Name())
		}
	}
	return nil
}

// private refuses what others than the owner may read or change.
func private(path string, info fs.FileInfo, mode string) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s is open to other users (mode %03o): run `chmod %s %s`", path, info.Mode().Perm(), mode, path)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}
