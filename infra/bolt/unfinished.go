package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// bbolt first writes four pages. The first page is a meta page: its magic
// number is after the page's header, and its transaction id is 0 until the file
// is first used.
const (
	firstPages  = 4
	magicOffset = 16
	txidOffset  = 64
	bboltMagic  = 0xED0CDAED
)

// emptyUnfinished empties a file if its very first write was cut short, for
// example by a full disk. Such a file never had data, and bbolt would always
// refuse it. emptyUnfinished takes the lock that bbolt takes, so it does not
// touch a file that another process is making.
func emptyUnfinished(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // another process has it open, so it is complete
	}
	if !unfinished(f) {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("emptying the file after an incomplete first write: %w", err)
	}
	return nil
}

// unfinished reports whether the first write of the file was cut short. A used
// file without its end is damaged, and must not be changed.
func unfinished(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() >= int64(firstPages*os.Getpagesize()) {
		return false
	}
	var page [txidOffset + 8]byte
	_, err = f.ReadAt(page[:], 0)
	return err == nil && binary.NativeEndian.Uint32(page[magicOffset:]) == bboltMagic &&
		binary.NativeEndian.Uint64(page[txidOffset:]) == 0
}
