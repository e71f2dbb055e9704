// Package bolt keeps all ports of package events in one local file, so that
// the service needs neither an account nor a network.
//
// A commit is on the disk when it is answered. One goroutine writes: it takes
// whatever waits, puts it into one transaction and syncs once for all of it; a
// lone commit never waits for company. What is refused leaves the others of
// its transaction untouched. Reads do not wait for a sync.
//
// The one thing that is not awaited is a last use: Touch returns before it is
// written, because authorizing must not pay for a sync. A crash may lose the
// uses of its last moments and nothing else.
//
// One process at a time may have the file open. Nothing is collected: what is
// past its retention stays until somebody removes it, and readers ignore it.
package bolt

import (
	"fmt"
	"sync"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Options of Open. The zero value is what a service wants.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the
	// file; zero means one second.
	LockTimeout time.Duration

	// OnCommit is called after messages came into the outbox, from the
	// goroutine that writes, so it must return at once.
	OnCommit func()

	// NoSync answers without waiting for the disk. A crash may then destroy
	// the file: it is for filling a store that a benchmark reads.
	NoSync bool

	open openFile // nil: os.OpenFile; tests break the file with it
}

// Store is an open file. It is made by Open and used from many goroutines.
type Store struct {
	db       *bbolt.DB
	path     string
	onCommit func()

	mu      sync.RWMutex // held while queueing, so that Close can end the queue
	closed  bool
	queue   chan *job
	stopped chan struct{}
	broken  error // belongs to the writer, see write
}

var _ events.Store = (*Store)(nil)

// maxBatch is how many writes share a transaction at most.
const maxBatch = 256

// Open opens the store in the file at path and makes the file (0600) and its
// folder (0700) if they are missing. Its errors name the file and say whether
// another process holds it, it belongs to something else, or it is damaged.
func Open(path string, o Options) (*Store, error) {
	db, err := openDB(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	s := &Store{
		db: db, path: path, onCommit: o.OnCommit,
		queue: make(chan *job, maxBatch), stopped: make(chan struct{}),
	}
	go s.write()
	return s, nil
}

// Close writes what still waits and lets go of the file. Calls that come later
// fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.queue)
	<-s.stopped
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", s.path, err)
	}
	return nil
}
