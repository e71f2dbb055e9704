package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// What bbolt writes first: four pages. The first is a meta page, whose magic
// number stands behind the page's header, and whose transaction is 0 until the
// file is used for the first time.
const (
	firstPages  = 4
	magicOffset = 16
	txidOffset  = 64
	bboltMagic  = 0xED0CDAED
)

// heal empties a file whose very first write was cut short, by a full disk for
// example: bbolt would refuse it for ever, and nothing was ever in it. It looks
// under the lock that bbolt takes, so that a file which is being made by
// somebody else is left alone.
func heal(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // somebody has it open, so it is whole
	}
	if !unfinished(f) {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("emptying the file, whose first write was cut short: %w", err)
	}
	return nil
}

// unfinished tells such a file from a used one that lost its end, which is
// damaged and must not be touched.
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
