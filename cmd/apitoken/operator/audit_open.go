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

func (f *sourceFlags) openFolder(ctx context.Context, _ *console.Env) (*source, error) {
	folder, err := datadir.OpenExisting(ctx, f.data)
	if err != nil {
		return nil, err
	}
	s := &source{log: folder.Store, keys: folder.Keys, ids: folder.Store.TokenIDs, close: folder.Close}
	if err := errors.Join(s.readOutbox(ctx, folder), s.openEventFile(folder)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// outboxPage is more than the outbox of a local service has, unless its bus
// failed for a long time.
const outboxPage = 100_000

func (s *source) readOutbox(ctx context.Context, folder *datadir.Folder) error {
	pending, err := folder.Store.Pending(ctx, time.Now().Add(time.Hour), outboxPage)
	s.unsent = map[string]bool{}
	for _, m := range pending {
		s.unsent[m.ID] = true
	}
	return err
}

func (s *source) openEventFile(folder *datadir.Folder) error {
	file, err := eventfile.OpenCopies(folder.EventsPath())
	if errors.Is(err, os.ErrNotExist) {
		s.copies = noCopies{}
		return nil
	}
	if err != nil {
		return err
	}
	s.copies, s.streams, s.faults, s.trimmed = file, file.Streams(), findingsOf(file.Faults), file.Trimmed
	s.close = func() error { return errors.Join(file.Close(), folder.Close()) }
	return nil
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
