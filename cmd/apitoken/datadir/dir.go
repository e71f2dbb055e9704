package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"apitoken/cmd/apitoken/snapshot"
	"apitoken/infra/eventfile"
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
	if exists(dir, restoreFile) {
		return fmt.Errorf("a restore into %s was interrupted or still runs: wait for it, or run `apitoken restore` again", dir)
	}
	evidence := storeEvidence(dir)
	if evidence == "" {
		if err := checkForeign(dir); err != nil {
			return err
		}
	}
	if err := errors.Join(checkOwner(dir, info), checkPrivate(dir, info, "700")); err != nil {
		return err
	}
	if err := checkFiles(dir); err != nil {
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
	if parts, err := eventfile.Parts(filepath.Join(dir, eventsFile)); err == nil && len(parts) > 0 {
		return filepath.Base(parts[0])
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
		if e.Name() != pepperFile && e.Name() != markerFile && e.Name() != snapshot.Name && !isTemporary(e.Name()) {
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
	return &OpenToOthersError{Path: path, Mode: info.Mode().Perm(), remedy: mode}
}

// checkFiles refuses a file of the folder that is no regular file or that belongs
// to another user. Opening a named pipe would wait for its other end, and another
// user could replace the peppers or the store. A file may be a symbolic link.
func checkFiles(dir string) error {
	var paths []string
	for _, name := range []string{pepperFile, storeFile, adminFile, markerFile, eventsFile, supersededFile, certificateFile, keyFile} {
		paths = append(paths, filepath.Join(dir, name))
	}
	parts, err := eventfile.Parts(filepath.Join(dir, eventsFile))
	if err != nil {
		return err
	}
	for _, path := range append(paths, parts...) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("checking the data folder: %w", err)
		}
		if err := regular(path, info); err != nil {
			return err
		}
		if err := checkOwner(path, info); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner refuses a file or folder of another user. Root may enter the folder of
// every user; that user could then change what root uses.
func checkOwner(path string, info fs.FileInfo) error {
	user := os.Geteuid()
	if owner(info) == user {
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, but this process runs as user %d: run the command as user %d, or give the folder and its files to user %d with chown", path, owner(info), user, owner(info), user)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}
