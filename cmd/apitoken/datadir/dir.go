package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// makeDir creates the folder. It also accepts an empty folder that exists, and
// gives it the mode 0700, so that other users cannot enter it.
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
		return fmt.Errorf("closing the data folder to other users: %w", err)
	}
	return nil
}

// checkDir refuses a folder with foreign files, a folder that other users may
// enter, and a folder that lost its store. The check for foreign files is first:
// the user may have given a wrong folder, and the error must not say to change
// the mode of that folder.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("checking the data folder: %w", err)
	}
	evidence := storeEvidence(dir)
	if evidence == "" {
		if err := checkForeign(dir); err != nil {
			return err
		}
	}
	if err := checkPrivate(dir, info, "700"); err != nil {
		return err
	}
	if evidence != "" && missingOrEmpty(dir, storeFile) {
		return fmt.Errorf("%s is missing or empty, but %s shows that the folder had a store: restore the file, or use another folder", filepath.Join(dir, storeFile), evidence)
	}
	return nil
}

// storeEvidence is the name of a file that is created only after the store, or ""
// if the folder has no such file.
func storeEvidence(dir string) string {
	for _, name := range []string{eventsFile, adminFile} {
		if exists(dir, name) {
			return name
		}
	}
	return ""
}

// missingOrEmpty reports whether a file is missing or empty. A new store in the
// place of a lost one would have no tokens and no limits, and give no error.
func missingOrEmpty(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() == 0)
}

// checkForeign refuses a folder with files that are not of this package, such as
// a home folder given by mistake. It accepts every folder that has a store.
func checkForeign(dir string) error {
	if exists(dir, storeFile) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() != pepperFile && e.Name() != markerFile && !strings.Contains(e.Name(), tempMark) {
			return fmt.Errorf("%s is not a data folder of apitoken: it contains %q; give an empty or a new folder", dir, e.Name())
		}
	}
	return nil
}

// checkPrivate refuses a file or folder that other users may read or change. The
// error recommends mode.
func checkPrivate(path string, info fs.FileInfo, mode string) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s is open to other users (mode %03o): run `chmod %s %s`", path, info.Mode().Perm(), mode, path)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}
