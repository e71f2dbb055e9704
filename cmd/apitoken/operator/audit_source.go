package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/issuer"
	"apitoken/infra/eventfile"
)

// sourceFlags say where a log and its copies are.
type sourceFlags struct {
	data, table, copies, peppers string
}

func (f *sourceFlags) addCopies(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", datadir.DefaultData, "the data folder DIR")
	c.Flags().StringVar(&f.copies, "audit-table", "", "the table of the copies")
}

func (f *sourceFlags) addLog(c *cobra.Command) {
	c.Flags().StringVar(&f.table, "table", "", "the table of the log")
	c.Flags().StringVar(&f.peppers, "peppers-file", "", "with --table: a file (mode 0600) with the peppers")
}

// source is a log with its copies. It has no log if only copies are needed.
type source struct {
	log     issuer.Store
	keys    events.Keys
	copies  audit.Reader
	streams []events.Stream // that have copies
	ids     tokenIDs        // of the tokens with a view
	faults  []audit.Finding // lines of the event file that are not copies
	trimmed bool            // the oldest parts of the event file are not there
	unsent  map[string]bool // ids of the events that are still in the outbox
	close   func() error

	folder     *datadir.Folder     // the open data folder of reapply
	file       *eventfile.Copies   // the event file of a folder, if there is one
	superseded *datadir.Superseded // the events that earlier restores left out; nil without a folder
}

// tokenIDs calls f for the id of each token that has a view.
type tokenIDs func(ctx context.Context, f func(id string) error) error

// opener opens the source in the data folder.
type opener func(*sourceFlags, context.Context) (*source, error)

// withLogAndCopies is withCopies for a command that needs the log too.
func (f *sourceFlags) withLogAndCopies(c *cobra.Command, e *console.Env, open opener, do func(*source) error) error {
	if (f.table == "") != (f.copies == "") {
		return console.Usagef("--table and --audit-table go together")
	}
	return f.withCopies(c, e, open, do)
}

// withCopies opens the source, calls do, and closes the source.
func (f *sourceFlags) withCopies(c *cobra.Command, e *console.Env, open opener, do func(*source) error) (err error) {
	var s *source
	if f.copies != "" {
		if c.Flags().Changed("data") {
			return console.Usagef("give a data folder or tables, not both")
		}
		s, err = f.openTables(c.Context(), e)
	} else {
		s, err = open(f, c.Context())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return do(s)
}

// copiesPage is how many copies are read at a time.
const copiesPage = 500

// errCopyOrder is the fault of a reader that returns copies which are not in the
// order of their sequences. Without a check, a full page could repeat for ever.
var errCopyOrder = errors.New("the copies are not in the order of their sequences")

// eachCopy calls do for each copy of a stream, in the stream's order.
func (s *source) eachCopy(ctx context.Context, stream events.Stream, do func(events.Message) error) error {
	for after := uint64(0); ; {
		ms, err := s.copies.Copy(ctx, stream, after, copiesPage)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if m.Seq <= after {
				return fmt.Errorf("reading the copies of stream %s: copy %d was returned after copy %d: %w", stream, m.Seq, after, errCopyOrder)
			}
			if err := do(m); err != nil {
				return err
			}
			after = m.Seq
		}
		if len(ms) < copiesPage {
			return nil
		}
	}
}

// eachLine is eachCopy, with the lines of the event file that have the id of an
// earlier line and other content. They come directly after the copy.
func (s *source) eachLine(ctx context.Context, stream events.Stream, do func(events.Message) error) error {
	var others []events.Message
	if s.file != nil {
		var err error
		if others, err = s.file.Others(stream); err != nil {
			return err
		}
	}
	return s.eachCopy(ctx, stream, func(m events.Message) error {
		if err := do(m); err != nil {
			return err
		}
		for len(others) > 0 && others[0].Seq <= m.Seq {
			if err := do(others[0]); err != nil {
				return err
			}
			others = others[1:]
		}
		return nil
	})
}
