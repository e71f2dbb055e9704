// Package bolt implements all ports of package events in one local file. The
// service then needs neither an account nor a network.
//
// A commit is on disk when Commit returns. One goroutine writes: it puts all
// waiting writes into one transaction and syncs once for all of them. A single
// commit does not wait for others. A refused write does not change the other
// writes of its transaction. Reads do not wait for a sync.
//
// Touch is the exception: it returns before the use is written, because
// authorizing must not wait for a sync. A crash may lose the uses of the last
// moments before it, and nothing else.
//
// Collect removes what is past its retention, in small transactions. bbolt fills the
// pages that become free before it grows the file, and never makes the file shorter.
//
// One process at a time may have the file open. The package leaves retries after a
// conflict to its callers, and also when to call Collect.
package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Options of Open. The zero value suits a service.
type Options struct {
	// LockTimeout is how long Open waits for another process to close the
	// file; zero means one second.
	LockTimeout time.Duration

	// OnCommit is called after messages were added to the outbox. The goroutine
	// that writes calls it, so it must return without waiting.
	OnCommit func()

	// NoSync lets calls return before the data is on disk. A crash may then
	// destroy the file. Use it only to fill a store for a benchmark.
	NoSync bool

	open     openFile                          // nil: os.OpenFile; tests break the file with it
	stat     func(string) (fs.FileInfo, error) // nil: os.Stat
	readOnly bool
}

// Store is an open file, made by Open. Many goroutines may use it.
type Store struct {
	db       *bbolt.DB
	path     string
	onCommit func()

	deployment string

	mu            sync.RWMutex // held while queueing, so that Close can end the queue
	closed        bool
	queue         chan *job
	stopped       chan struct{}
	usesNotStored atomic.Uint64 // see UsesNotStored

	broken error // why nothing is written any more; only for the goroutine of write
}

var _ events.Store = (*Store)(nil)

// maxBatch is the maximum number of writes in one transaction.
const maxBatch = 256

// Open opens the store in the file at path. It makes the file (0600) and its
// folder (0700) if they are missing. Its errors name the file and say whether
// another process has it open, another program made it, or it is damaged.
func Open(path string, o Options) (*Store, error) {
	db, err := openDB(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	return newStore(db, path, o)
}

// newStore returns the store of an open file. After an error the file is closed.
func newStore(db *bbolt.DB, path string, o Options) (*Store, error) {
	deployment, err := readDeployment(db)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", path, err), db.Close())
	}
	s := &Store{
		db: db, path: path, onCommit: o.OnCommit, deployment: deployment,
		queue: make(chan *job, maxBatch), stopped: make(chan struct{}),
	}
	go s.write()
	return s, nil
}

// Deployment is the id of the deployment that this store belongs to. Open makes a
// random id for a new store and never changes it. So two stores never publish
// events with the same source and id. A copy of the file has the same id: run only
// one of the copies.
func (s *Store) Deployment() string { return s.deployment }

// Close writes what is in the queue and closes the file. Later calls fail. Close waits
// until all snapshots are closed.
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
