package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"apitoken/cmd/apitoken/snapshot"
	"apitoken/events"
	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// Reading is the state of a data folder at one moment, only for reading. A service may
// use the folder meanwhile.
type Reading struct {
	Dir    string
	Keys   events.Keys
	Store  *bolt.Store
	Events eventfile.Mark // the end of the event file that belongs to the store
}

// CheckExisting refuses what Open refuses before it opens the store, and a folder
// without a store. It changes nothing.
func CheckExisting(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, storeFile)); errors.Is(err, fs.ErrNotExist) && !exists(dir, restoreFile) {
		return fmt.Errorf("there is no data folder at %s: `apitoken serve --data %s` creates one, with the administrator's first token", dir, dir)
	}
	return checkDir(dir)
}

// EventsPath is the path of the event file in the folder dir.
func EventsPath(dir string) string { return filepath.Join(dir, eventsFile) }

// OpenReading opens a snapshot of the service that uses the folder, or the folder
// itself, which then no other process can open until Close.
func OpenReading(ctx context.Context, dir string) (*Reading, error) {
	in, folder, err := Acquire(ctx, dir)
	switch {
	case err != nil:
		return nil, err
	case folder != nil:
		end, err := eventfile.End(folder.EventsPath())
		if err != nil {
			return nil, errors.Join(err, folder.Close())
		}
		return &Reading{Dir: dir, Keys: folder.Keys, Store: folder.Store, Events: end}, nil
	}
	r := &Reading{Dir: dir, Events: in.Events}
	if r.Store, err = in.Open(); err == nil {
		r.Keys, err = keysOf(ctx, dir, r.Store)
	}
	return r, errors.Join(err, in.Close())
}

// Close closes the store.
func (r *Reading) Close() error { return r.Store.Close() }

// Acquire returns a snapshot that the service sends which uses the folder, or the open
// folder if there is no service.
func Acquire(ctx context.Context, dir string) (*snapshot.Incoming, *Folder, error) {
	if err := CheckExisting(dir); err != nil {
		return nil, nil, err
	}
	in, err := snapshot.Connect(ctx, dir)
	if !errors.Is(err, snapshot.ErrNoService) {
		return in, nil, err
	}
	folder, err := open(ctx, dir, nil)
	if !errors.Is(err, bolt.ErrLocked) {
		return nil, folder, err
	}
	locked := err
	if in, err = snapshot.Connect(ctx, dir); !errors.Is(err, snapshot.ErrNoService) {
		return in, nil, err // the service has just started
	}
	return nil, nil, fmt.Errorf("%w. It gives no snapshot: it is a command, or its log says why it does not listen on %s", locked, filepath.Join(dir, snapshot.Name))
}

// keysOf reads the peppers and checks that they belong to the store.
func keysOf(ctx context.Context, dir string, store *bolt.Store) (events.Keys, error) {
	f := &Folder{Dir: dir, Store: store}
	var err error
	if f.Keys, err = loadKeys(dir); err == nil {
		err = f.checkKeys(ctx)
	}
	if err != nil {
		return events.Keys{}, errors.Join(err, store.Close())
	}
	return f.Keys, nil
}
