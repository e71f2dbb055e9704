// Package snapshot gives other processes of the same user the present state of a
// running service's store.
//
// bbolt lets one process at a time open its file, so the service that has the store
// open sends it. The service listens on a Unix socket in its data folder. The folder
// has the mode 0700 and the socket 0600, so only the folder's owner can connect. Each
// connection gets one snapshot: a line of JSON with the size of the store and the end
// of the event file, and then the store.
//
// The two belong together: no event before that end is missing in the store, and each
// event of the store is before that end or in the outbox. A receiver that does not
// read ends its snapshot after a time, because the store cannot use free pages again
// while a snapshot is open.
package snapshot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"apitoken/infra/eventfile"
)

// Name is the name of the socket in the data folder.
const Name = "operator.sock"

// format is the number of the form of the answer. It changes with the form.
const format = 1

// header is the first line of the answer.
type header struct {
	Format int            `json:"apitoken_snapshot"`
	Store  int64          `json:"store"` // bytes
	Events eventfile.Mark `json:"events"`
}

// stall is how long one side waits for the other: for a connection, and for the next
// bytes.
const stall = 30 * time.Second

// maxAddress is the maximum number of bytes in the path of a Unix socket. Linux allows
// 107, and the BSDs 103.
const maxAddress = 103

// address returns a path of the socket that is short enough. A long path is replaced
// by one through an open file of the folder; done closes this file.
func address(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, Name)
	if len(path) <= maxAddress {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path %s has %d bytes; allowed: %d bytes for a socket. Use a data folder with a shorter path", path, len(path), maxAddress)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return "", nil, fmt.Errorf("opening the data folder: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), Name), func() { folder.Close() }, nil
}

// checkSocket refuses a file that is not a socket of this user. The error wraps
// fs.ErrNotExist if there is no file.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s is not a socket: remove it", path)
	case !ours(info):
		return fmt.Errorf("%s belongs to another user: remove it", path)
	}
	return nil
}
