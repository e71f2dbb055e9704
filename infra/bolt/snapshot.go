package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"go.etcd.io/bbolt"
)

// mapped is how many bytes of the file bbolt maps when it opens the file. A larger
// file cannot be mapped while a read transaction is open: a write that needs more
// would wait for the end of a snapshot, and all reads would wait for this write. The
// mapping takes addresses and no memory. Where there are too few addresses, because the
// machine has 32 bits or the process a limit, bbolt maps what the file has.
const mapped = 16 << 30 * (math.MaxInt >> 62)

// growth is the number of bytes by which bbolt grows a file of this size, beyond what
// it needs. bbolt alone would compute it from the size of the mapping.
func growth(size int64) int { return int(min(max(size/4, 32<<10), 16<<20)) }

// Snapshot is the state of a store at one moment, made by Store.Snapshot. While it is
// open, writes go on, but the pages that they free are not used again, so the file
// grows. The caller must close it.
type Snapshot struct{ tx *bbolt.Tx }

// Snapshot returns the present state: every commit that was answered is in it.
func (s *Store) Snapshot() (*Snapshot, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, fmt.Errorf("reading the store %s: %w", s.path, err)
	}
	return &Snapshot{tx}, nil
}

// Size returns the number of bytes that the store uses, with its free pages. The file may
// be larger.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring the store %s: %w", s.path, err)
	}
	return size, nil
}

// Size is the number of bytes that WriteTo writes.
func (s *Snapshot) Size() int64 { return s.tx.Size() }

// WriteTo writes a file that OpenSnapshot and Open can open.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	n, err := s.tx.WriteTo(w)
	if err != nil {
		return n, fmt.Errorf("writing a snapshot: %w", err)
	}
	return n, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// OpenSnapshot opens a file that Snapshot.WriteTo has written, only for reading: all
// calls that write fail. The file may have no name any more. The store closes the
// file; after an error the file is closed too.
func OpenSnapshot(f *os.File) (*Store, error) {
	o := Options{
		readOnly: true,
		open:     func(string, int, fs.FileMode) (*os.File, error) { return f, nil },
		stat:     func(string) (fs.FileInfo, error) { return f.Stat() },
	}
	db, err := openChecked(f.Name(), o)
	if err != nil {
		return nil, fmt.Errorf("opening a snapshot: %w", err)
	}
	if err := db.View(checkBuckets); err != nil {
		return nil, errors.Join(fmt.Errorf("opening a snapshot: %w", err), db.Close())
	}
	return newStore(db, f.Name(), o)
}
