package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HeldFile is a private file that one process at a time holds. Its lock ends with
// the process, so a killed process holds nothing. The file stays.
type HeldFile struct {
	path string
	file *os.File
}

// ErrHeld says that another process holds the file.
var ErrHeld = errors.New("another process holds the file")

// Hold opens the file at path, or makes an empty one with mode 0600, and returns it
// with its text. It refuses a file that other users may read or change, a symbolic
// link, and everything else that is no regular file. It does not wait: if another
// process holds the file, the error wraps ErrHeld.
func Hold(path string) (*HeldFile, string, error) {
	for {
		h, text, err := hold(path)
		if !errors.Is(err, errReplaced) {
			return h, text, err
		}
	}
}

// errReplaced says that the file of this name was removed before it was locked: the
// process that held it has finished.
var errReplaced = errors.New("the file was removed meanwhile")

func hold(path string) (_ *HeldFile, text string, err error) {
	// O_NONBLOCK: opening a named pipe must not wait for its other end.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, "", fmt.Errorf("%s is a symbolic link, not a regular file", path)
	}
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err == nil {
		err = errors.Join(regular(path, info), closed(path, file, info))
	}
	if err != nil {
		return nil, "", err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, "", fmt.Errorf("locking %s: %w", path, ErrHeld)
	}
	if err != nil {
		return nil, "", fmt.Errorf("locking %s: %w", path, err)
	}
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, now) {
		return nil, "", errReplaced
	}
	if err != nil {
		return nil, "", err
	}
	text, err = readAll(path, file)
	return &HeldFile{path: path, file: file}, text, err
}

// Write gives an empty file the text and a line end. It is durable when Write
// returns.
func (h *HeldFile) Write(text string) error {
	_, err := h.file.WriteAt([]byte(text+"\n"), 0)
	if err = errors.Join(err, h.file.Sync()); err != nil {
		return fmt.Errorf("writing %s: %w", h.path, err)
	}
	return syncDir(filepath.Dir(h.path))
}

// Remove removes the file. This process holds it until Release.
func (h *HeldFile) Remove() { os.Remove(h.path) }

// Release lets other processes hold the file.
func (h *HeldFile) Release() { h.file.Close() }
