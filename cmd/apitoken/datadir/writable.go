package datadir

import (
	"errors"
	"fmt"
	"os"
)

// probeSize is about what a few commits need. A commit of the store itself would not
// notice a full disk: it writes into pages that became free.
const probeSize = 64 << 10

// CheckWritable writes a file into the folder durably and removes it. The error says
// why that failed, for example because the disk is full. If the process is killed
// meanwhile, the next Open removes the file.
func (f *Folder) CheckWritable() error {
	file, err := os.CreateTemp(f.Dir, probeFile+tempMark)
	if err != nil {
		return fmt.Errorf("writing into the data folder: %w", err)
	}
	_, err = file.Write(make([]byte, probeSize))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return fmt.Errorf("writing into the data folder: %w", err)
	}
	return nil
}
