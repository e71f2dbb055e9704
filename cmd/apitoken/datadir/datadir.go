// Package datadir is the data folder of a local server: the store, the peppers
// and the administrator's first token, all in one folder that only its owner
// may enter.
//
// It promises that a process killed at any moment leaves a folder which the
// next Open heals or refuses with a sentence that says what to do; that
// peppers are never replaced while a store exists that needs them; and that
// two processes never hold one folder. What is issued in it, and to whom, it
// leaves to the issuer.
package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"apitoken/events"
	"apitoken/infra/bolt"
)

// The files of a data folder. Those of the certificate belong to the server.
const (
	storeFile  = "apitoken.db"
	pepperFile = "peppers"
	adminFile  = "admin.token"
	markerFile = "admin.pending"
	eventsFile = "events.jsonl"
	tempMark   = ".tmp-" // part of the name of a file that is being written
)

// Folder is an open data folder. Nobody else holds it until Close.
type Folder struct {
	Dir   string
	Keys  events.Keys
	Store *bolt.Store
}

// Open opens the data folder dir, and makes it if there is none or an empty
// one. The store calls onCommit after each commit; it may be nil and must
// return at once. Errors are sentences for the person who started the process.
func Open(ctx context.Context, dir string, onCommit func()) (*Folder, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	return open(ctx, dir, onCommit)
}

// OpenExisting opens the data folder dir, and makes nothing.
func OpenExisting(ctx context.Context, dir string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, storeFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no data folder at %s: `apitoken serve --data %s` makes one, with the administrator's first token", dir, dir)
	}
	return open(ctx, dir, nil)
}

func open(ctx context.Context, dir string, onCommit func()) (*Folder, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	f := &Folder{Dir: dir}
	var err error
	if f.Keys, err = loadKeys(dir); err != nil {
		return nil, err
	}
	if f.Store, err = bolt.Open(f.Path(storeFile), bolt.Options{OnCommit: onCommit}); err != nil {
		return nil, err
	}
	if err := errors.Join(f.checkKeys(ctx), f.sweep()); err != nil {
		f.Store.Close()
		return nil, err
	}
	return f, nil
}

// Path is where the file called name stands in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// EventsPath is where the events of this folder go.
func (f *Folder) EventsPath() string { return f.Path(eventsFile) }

// Close gives the folder up.
func (f *Folder) Close() error {
	return f.Store.Close()
}

// checkKeys makes sure that the peppers are the ones that this store was
// written with: with others every token would be refused as invalid, and new
// facts would be sealed so that the right peppers could no longer read them.
func (f *Folder) checkKeys(ctx context.Context) error {
	head, err := f.Store.Head(ctx, events.SettingsStream)
	if err != nil {
		return fmt.Errorf("reading the settings in %s: %w", f.Path(storeFile), err)
	}
	if err := head.Check(f.Keys, events.SettingsStream); err != nil {
		return fmt.Errorf("%s does not belong to %s, or the store was changed behind the service's back (%w): put the right peppers back", f.Path(pepperFile), f.Path(storeFile), err)
	}
	return nil
}

// sweep removes files whose writing was cut short. The store's lock is held,
// so nobody is writing them now.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	for _, e := range entries {
		if !strings.Contains(e.Name(), tempMark) {
			continue
		}
		if err := os.Remove(f.Path(e.Name())); err != nil {
			return fmt.Errorf("removing a half-written file: %w", err)
		}
	}
	return nil
}
