// Package datadir is the data folder of a local server. The folder has the store,
// the peppers and the administrator's first token. Only its owner may enter it.
//
// The package promises three things. A process may be killed at any moment: the
// next Open repairs the folder, or refuses it with an error that says what to do.
// Peppers are never replaced while there is a store that needs them. Two
// processes never have one folder open. The package leaves the tokens in the
// store, and their owners, to the issuer.
package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"apitoken/events"
	"apitoken/infra/bolt"
)

// DefaultData is the data folder of a local service that no flag names.
const DefaultData = "./.apitoken"

// The files of a data folder.
const (
	storeFile  = "apitoken.db"
	pepperFile = "peppers"
	adminFile  = "admin.token"
	markerFile = "admin.pending"
	eventsFile = "events.jsonl"
	tempMark   = ".tmp-" // between the name of a file that is not complete yet and its digits

	supersededFile = "superseded.jsonl"
	restoreFile    = "restore.pending" // a restore has not ended yet

	certificateFile = "tls.crt"
	keyFile         = "tls.key"

	probeFile = "writable" // exists only with a tempMark, while CheckWritable runs
)

// Folder is an open data folder. No other process can open it until Close.
type Folder struct {
	Dir   string
	Keys  events.Keys
	Store *bolt.Store
}

// Open opens the data folder dir. It creates the folder if dir is missing or
// empty. The store calls onCommit after each commit; onCommit may be nil and must
// not wait. Errors are sentences for the person who started the process.
func Open(ctx context.Context, dir string, onCommit func()) (*Folder, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	return open(ctx, dir, onCommit)
}

// OpenExisting opens the data folder dir. It returns an error if dir has no store,
// and creates nothing.
func OpenExisting(ctx context.Context, dir string) (*Folder, error) {
	if err := CheckExisting(dir); err != nil {
		return nil, err
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
	if err := errors.Join(f.checkKeys(ctx), f.removeIncomplete()); err != nil {
		f.Store.Close()
		return nil, err
	}
	return f, nil
}

// Path is the path of the file called name in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// CertificatePath and KeyPath are the paths of the self-signed certificate and of
// its key.
func (f *Folder) CertificatePath() string { return f.Path(certificateFile) }
func (f *Folder) KeyPath() string         { return f.Path(keyFile) }

// EventsPath is the path of the file of events, which may have more parts, see
// eventfile.Parts.
func (f *Folder) EventsPath() string { return f.Path(eventsFile) }

// Close closes the store, so that another process can open the folder.
func (f *Folder) Close() error {
	return f.Store.Close()
}

// checkKeys refuses peppers that did not seal this store. With wrong peppers
// every token would be refused as invalid. New facts would get seals that the
// right peppers could not verify later.
func (f *Folder) checkKeys(ctx context.Context) error {
	head, err := f.Store.Head(ctx, events.SettingsStream)
	if err != nil {
		return fmt.Errorf("reading the settings in %s: %w", f.Path(storeFile), err)
	}
	if err := head.Check(f.Keys, events.SettingsStream); err != nil {
		return fmt.Errorf("%s does not belong to %s, or another program changed the store (%w): restore the right file of peppers", f.Path(pepperFile), f.Path(storeFile), err)
	}
	return nil
}

// removeIncomplete removes the regular files that an interrupted process did not
// finish. It leaves everything else: another program or a user made it. This process holds the lock of the store, so no other process is writing them now.
func (f *Folder) removeIncomplete() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	for _, e := range entries {
		if !isTemporary(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(f.Path(e.Name())); err != nil {
			return fmt.Errorf("removing an incomplete file: %w", err)
		}
	}
	return nil
}
