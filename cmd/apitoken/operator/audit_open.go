package operator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/infra/bolt"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/eventfile"
)

func (f *sourceFlags) openTables(ctx context.Context, e *console.Env) (*source, error) {
	s := &source{close: func() error { return nil }}
	client, err := chain.Client(ctx)
	if err != nil {
		return nil, err
	}
	if f.table != "" {
		if s.keys, err = f.keys(e); err != nil {
			return nil, err
		}
		store := dynamo.New(client, f.table)
		s.log = store
		s.ids = func(ctx context.Context, do func(string) error) error { return store.TokenIDs(ctx, 0, 1, do) }
	}
	table := copies.New(client, f.copies)
	s.copies = table
	return s, table.Streams(ctx, func(stream events.Stream) { s.streams = append(s.streams, stream) })
}

func (f *sourceFlags) keys(e *console.Env) (events.Keys, error) {
	text, from, err := f.peppersText(e)
	if err != nil {
		return events.Keys{}, err
	}
	k, err := events.ParseKeys(text)
	if err != nil {
		return k, fmt.Errorf("reading %s: %w", from, err)
	}
	return k, nil
}

// peppersText reads the peppers from the file or the variable. from names the
// source in errors.
func (f *sourceFlags) peppersText(e *console.Env) (text, from string, err error) {
	if f.peppers != "" {
		text, err = datadir.ReadSecret(f.peppers)
		return text, f.peppers, err
	}
	text, err = e.EnvValue("PEPPERS")
	if err == nil && text == "" {
		err = console.Usagef("--table needs the peppers of the stack: set PEPPERS or give --peppers-file")
	}
	return text, "PEPPERS", err
}

// openFolder opens the data folder, which no other process can use then. The copies
// have every line.
func (f *sourceFlags) openFolder(ctx context.Context) (*source, error) {
	folder, err := datadir.OpenExisting(ctx, f.data)
	if err != nil {
		return nil, err
	}
	return sourceOf(folder)
}

// sourceOf is the source in an open folder. Closing it closes the folder.
func sourceOf(folder *datadir.Folder) (*source, error) {
	s := &source{folder: folder, log: folder.Store, keys: folder.Keys, close: folder.Close}
	err := s.readCopies(folder.Dir, func() (*eventfile.Copies, error) { return eventfile.OpenCopies(folder.EventsPath()) })
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// openReading opens the data folder beside the service that uses it. Superseded
// events are no copies.
func (f *sourceFlags) openReading(ctx context.Context) (*source, error) {
	r, err := datadir.OpenReading(ctx, f.data)
	if err != nil {
		return nil, err
	}
	s := &source{log: r.Store, keys: r.Keys, ids: r.Store.TokenIDs, close: r.Close}
	err = s.readCopies(r.Dir, func() (*eventfile.Copies, error) {
		return eventfile.OpenCopiesUntil(datadir.EventsPath(r.Dir), r.Events)
	})
	if err == nil {
		err = errors.Join(s.readOutbox(ctx, r.Store), s.supersede(ctx, r.Store))
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// openEvents opens the event file of the data folder. It needs no store, so a service
// may use the folder.
func (f *sourceFlags) openEvents(ctx context.Context) (*source, error) {
	if err := datadir.CheckExisting(f.data); err != nil {
		return nil, err
	}
	keys, err := datadir.ReadPeppers(f.data)
	if err != nil {
		return nil, err
	}
	s := &source{keys: keys, close: func() error { return nil }}
	err = s.readCopies(f.data, func() (*eventfile.Copies, error) { return eventfile.OpenCopies(datadir.EventsPath(f.data)) })
	if err == nil {
		err = s.supersede(ctx, nil)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// outboxPage is more than the outbox of a local service has, unless its bus
// failed for a long time.
const outboxPage = 100_000

func (s *source) readOutbox(ctx context.Context, store *bolt.Store) error {
	pending, err := store.Pending(ctx, time.Now().Add(time.Hour), outboxPage)
	s.unsent = map[string]bool{}
	for _, m := range pending {
		s.unsent[m.ID] = true
	}
	return err
}

func (s *source) readCopies(dir string, open func() (*eventfile.Copies, error)) (err error) {
	if s.superseded, err = datadir.ReadSuperseded(dir, s.keys); err != nil {
		return err
	}
	file, err := open()
	if errors.Is(err, os.ErrNotExist) {
		s.copies = noCopies{}
		return nil
	}
	if err != nil {
		return err
	}
	s.copies, s.file, s.trimmed = file, file, file.Trimmed
	s.useFile()
	closeLog := s.close
	s.close = func() error { return errors.Join(file.Close(), closeLog()) }
	return nil
}

// useFile takes over which lines of the file are copies.
func (s *source) useFile() {
	s.streams, s.faults = s.file.Streams(), findingsOf(s.file.Faults)
}

// supersede takes the superseded events out of the copies, except those that the store
// has: the store may be a newer one than the one that was restored. Without a store
// none is excepted.
func (s *source) supersede(ctx context.Context, store *bolt.Store) (err error) {
	if s.file == nil {
		return nil
	}
	s.file.Supersede(func(stream events.Stream, seq uint64, hash events.Hash) bool {
		if !s.superseded.Has(stream, seq, hash) {
			return false
		}
		if store == nil {
			return true
		}
		held, found, rerr := datadir.RecordHash(ctx, store, stream, seq)
		err = errors.Join(err, rerr)
		return !found || held != hash
	})
	s.useFile()
	for _, f := range s.superseded.Faults {
		s.faults = append(s.faults, audit.Finding{Kind: audit.Forged, ID: "superseded events", Detail: f.Error()})
	}
	return err
}

// noCopies replaces an event file that does not exist.
type noCopies struct{}

func (noCopies) Copy(context.Context, events.Stream, uint64, int) ([]events.Message, error) {
	return nil, nil
}

func findingsOf(faults []eventfile.Fault) (found []audit.Finding) {
	for _, f := range faults {
		finding := audit.Finding{Kind: audit.Differs, ID: f.ID, Detail: f.Detail}
		if f.ID == "" {
			finding.Kind, finding.ID = audit.Forged, fmt.Sprintf("%s line %d", f.Part, f.Line)
		}
		found = append(found, finding)
	}
	return found
}
