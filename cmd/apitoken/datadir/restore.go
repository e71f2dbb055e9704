package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"apitoken/cmd/apitoken/snapshot"
	"apitoken/events"
	"apitoken/infra/eventfile"
)

// Restore is a restore into a data folder that has no store. It builds a whole data
// folder in a folder of its own inside, and then moves the files. The store is the
// last of them.
//
// A process may be killed at any moment. While the file of the restore is there, Open
// refuses the folder. The next restore begins again, or moves the rest of the files if
// the moving had begun.
type Restore struct {
	dir  string
	held *HeldFile
	made bool // the folder did not exist
	kept bool // the folder has an event file, which stays
}

// stagingDir is the folder of an unfinished restore.
const stagingDir = "restore.tmp"

// The texts of the file of a restore. They have the same length, because one replaces
// the other in place.
const (
	restoreBegun = "begun"
	restoreMoves = "moves"
)

// BeginRestore prepares a restore into the folder dir, which may be missing. completed
// says that an earlier restore was interrupted while it moved its files, and is
// complete now; then there is nothing to restore.
func BeginRestore(ctx context.Context, dir string) (r *Restore, completed bool, err error) {
	r = &Restore{dir: dir, made: missing(dir)}
	if err := r.check(ctx); err != nil {
		return nil, false, err
	}
	held, text, err := Hold(r.path(restoreFile))
	if errors.Is(err, ErrHeld) {
		return nil, false, fmt.Errorf("another restore into %s is running", dir)
	}
	if err != nil {
		return nil, false, fmt.Errorf("beginning the restore: %w", err)
	}
	r.held = held
	if text == restoreMoves {
		return nil, true, r.move()
	}
	if err := r.begin(); err != nil {
		r.Abandon()
		return nil, false, err
	}
	return r, false, nil
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (r *Restore) path(name string) string { return filepath.Join(r.dir, name) }

// Staging is the folder in which the restored files are built.
func (r *Restore) Staging() string { return r.path(stagingDir) }

// KeepsEvents reports whether the folder has an event file, which stays.
func (r *Restore) KeepsEvents() bool { return r.kept }

// check makes a missing folder, and refuses a folder that is not fit for a restore.
func (r *Restore) check(ctx context.Context) error {
	if err := makeDir(r.dir); err != nil {
		return err
	}
	info, err := os.Stat(r.dir)
	if err != nil {
		return fmt.Errorf("checking the data folder: %w", err)
	}
	interrupted := exists(r.dir, restoreFile)
	if exists(r.dir, storeFile) && !interrupted {
		return fmt.Errorf("%s exists, and a restore never replaces a store: stop the service and move the file to another folder first. The events of the folder stay, and are used", r.path(storeFile))
	}
	if !interrupted && storeEvidence(r.dir) == "" {
		if err := checkForeign(r.dir); err != nil {
			return err
		}
	}
	if err := errors.Join(checkOwner(r.dir, info), checkPrivate(r.dir, info, "700")); err != nil {
		return err
	}
	if err := checkFiles(r.dir); err != nil {
		return err
	}
	in, err := snapshot.Connect(ctx, r.dir)
	if errors.Is(err, snapshot.ErrNoService) {
		return nil
	}
	if err == nil {
		err = in.Close()
	}
	return errors.Join(fmt.Errorf("a service uses %s, although its store was moved away: stop the service first", r.dir), err)
}

// begin empties the folder of an earlier attempt.
func (r *Restore) begin() error {
	parts, err := eventfile.Parts(r.path(eventsFile))
	if err != nil {
		return err
	}
	r.kept = len(parts) > 0
	if err := r.held.Write(restoreBegun); err != nil {
		return err
	}
	if err := os.RemoveAll(r.Staging()); err != nil {
		return fmt.Errorf("removing what an earlier restore has left: %w", err)
	}
	if err := os.Mkdir(r.Staging(), 0o700); err != nil {
		return fmt.Errorf("beginning the restore: %w", err)
	}
	return nil
}

// UsePeppers puts the peppers into the staging folder: those of the file, or of the
// folder if path is "". Both must be the same if there are both.
func (r *Restore) UsePeppers(path string) error {
	own := r.path(pepperFile)
	if path == "" {
		path = own
	}
	if path == own && !exists(r.dir, pepperFile) {
		return fmt.Errorf("a backup has no peppers, and %s is missing: give your copy of the file with --peppers-file", own)
	}
	text, err := ReadSecret(path)
	if err != nil {
		return err
	}
	if _, err := events.ParseKeys(text); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if exists(r.dir, pepperFile) {
		present, err := ReadSecret(own)
		if err != nil {
			return err
		}
		if present != text {
			return fmt.Errorf("%s and %s differ: leave out --peppers-file, or move the wrong file away", own, path)
		}
	}
	return WritePrivate(filepath.Join(r.Staging(), pepperFile), text)
}

// UseEvents lets the staging folder have the event file of the folder, in place of the
// event file of the backup in the folder from. The file of the folder must have all
// that the backup has, up to the last event: it is the newer one.
func (r *Restore) UseEvents(from string) error {
	last, err := lastEvent(filepath.Join(from, eventsFile))
	if err != nil {
		return err
	}
	present, err := eventfile.OpenCopies(r.path(eventsFile))
	if err != nil {
		return err
	}
	defer present.Close()
	if last.Seq > 0 && !present.Holds(last.Stream, last.Seq, last.Hash) {
		return fmt.Errorf("the events in %s do not continue those of the backup: event %s of the backup is not there. Move %s with its parts to another folder to use the events of the backup, or put back the parts that were moved away", r.dir, last.ID, eventsFile)
	}
	if exists(r.dir, supersededFile) {
		text, err := os.ReadFile(r.path(supersededFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(r.Staging(), supersededFile), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("copying the superseded events: %w", err)
		}
	}
	if err := os.Symlink(filepath.Join("..", eventsFile), filepath.Join(r.Staging(), eventsFile)); err != nil {
		return fmt.Errorf("using the events of the folder: %w", err)
	}
	return nil
}

// lastEvent is the last event of a stream in the file, the zero Message if there is
// none.
func lastEvent(path string) (last events.Message, err error) {
	err = eventfile.Backwards(path, func(m events.Message) (bool, error) {
		if m.Seq > 0 {
			last = m
		}
		return m.Seq == 0, nil
	})
	return last, err
}

// Open opens the staging folder.
func (r *Restore) Open(ctx context.Context) (*Folder, error) {
	if missingOrEmpty(r.Staging(), storeFile) {
		return nil, errors.New("the backup has no store")
	}
	return open(ctx, r.Staging(), nil)
}

// Finish moves the files into the folder. The folder of Open must be closed.
func (r *Restore) Finish() error {
	if err := syncDir(r.Staging()); err != nil {
		return err
	}
	if err := r.held.Write(restoreMoves); err != nil {
		return err
	}
	return r.move()
}

// move moves the files that are still in the staging folder, and ends the restore.
func (r *Restore) move() error {
	defer r.held.Release()
	entries, err := os.ReadDir(r.Staging())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the restored files: %w", err)
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return rank(a.Name()) - rank(b.Name()) })
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == pepperFile && exists(r.dir, pepperFile) || isTemporary(e.Name()) {
			continue // the events of the folder, and its own peppers, stay
		}
		from, to := filepath.Join(r.Staging(), e.Name()), r.path(e.Name())
		if e.Name() == storeFile {
			err = NameNew(from, to)
		} else {
			err = os.Rename(from, to)
		}
		if err != nil {
			return fmt.Errorf("moving the restored files: %w", err)
		}
	}
	if err := syncDir(r.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(r.Staging()); err != nil {
		return fmt.Errorf("removing the folder of the restore: %w", err)
	}
	r.held.Remove()
	return syncDir(r.dir)
}

// rank is higher for files that are moved later.
func rank(name string) int {
	if name == storeFile {
		return 1
	}
	return 0
}

// Abandon removes what the restore has made.
func (r *Restore) Abandon() {
	os.RemoveAll(r.Staging())
	r.held.Remove()
	r.held.Release()
	if r.made {
		os.Remove(r.dir)
	}
}
