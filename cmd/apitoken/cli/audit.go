package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/eventfile"
)

func newAudit(w *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify the log against the copies of its events, or export or reapply them",
		Long: `Verify the log against the copies of its events, or export or reapply them. Each
event is copied as it is published: on AWS into the audit table, which one
function alone may write, and by serve into DIR/events.jsonl.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		Args: noArgs,
	}
	c.AddCommand(newAuditVerify(w), newAuditExport(w), newAuditReapply(w))
	return c
}

func newAuditVerify(w *env) *cobra.Command {
	var o archive
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare every stream of the log with its copies",
		Long: `Compare every stream of the log with its copies: each event with its own hash and
with the one before it, the log with the copies, and the head with its seal and
with the last event. Prints a line for each stream and one for each finding, and
fails if there is one. What was written within 15 minutes may be on its way to
its copy.

With --table and --audit-table both are tables of a deployed stack. Its peppers
come by the variable PEPPERS (kid:base64, the current one first) or by
--peppers-file, credentials and region as AWS's own tools have them. Otherwise
both are in the data folder DIR, which no server may be using meanwhile; events
that were moved away from DIR/events.jsonl count as missing.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.both(c, w, func(a *opened) error { return a.verify(c.Context(), w) })
		},
	}
	o.add(c)
	o.addLog(c)
	return c
}

func newAuditExport(w *env) *cobra.Command {
	var o archive
	var owner string
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the copies as CloudEvents, one on a line",
		Long: `Print the copies of all events as CloudEvents 1.0 objects, one on a line: stream
after stream, each in its order and each event once. They can be verified with
their hashes alone.

With --audit-table the copies are those of a deployed stack, otherwise those of
the data folder DIR, which no server may be using meanwhile.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.with(c, w, func(a *opened) error { return a.export(c.Context(), w, owner) })
		},
	}
	o.add(c)
	c.Flags().StringVar(&owner, "owner", "", "only the events of this user's tokens")
	return c
}

// archive says where a log and its copies are.
type archive struct {
	data, table, copies, peppers string
}

func (o *archive) add(c *cobra.Command) {
	c.Flags().StringVar(&o.data, "data", defaultData, "the data folder DIR")
	c.Flags().StringVar(&o.copies, "audit-table", "", "the table of the copies")
}

func (o *archive) addLog(c *cobra.Command) {
	c.Flags().StringVar(&o.table, "table", "", "the table of the log")
	c.Flags().StringVar(&o.peppers, "peppers-file", "", "with --table: a file (mode 0600) with the peppers")
}

// opened is a log with its copies. Export needs no log.
type opened struct {
	log     issuer.Store
	keys    events.Keys
	copies  audit.Library
	streams []events.Stream // that have copies
	faults  []audit.Finding // what cannot be a copy
	waiting map[string]bool // events that wait in the outbox
	close   func() error
}

// both is with for what needs the log as well as the copies.
func (o *archive) both(c *cobra.Command, w *env, do func(*opened) error) error {
	if (o.table == "") != (o.copies == "") {
		return usagef("--table and --audit-table go together")
	}
	return o.with(c, w, do)
}

func (o *archive) with(c *cobra.Command, w *env, do func(*opened) error) (err error) {
	open := o.folder
	if o.copies != "" {
		if c.Flags().Changed("data") {
			return usagef("give a data folder or tables, not both")
		}
		open = o.tables
	}
	a, err := open(c.Context(), w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return do(a)
}

func (o *archive) tables(ctx context.Context, w *env) (*opened, error) {
	a := &opened{close: func() error { return nil }}
	client, err := chain.Client(ctx)
	if err != nil {
		return nil, err
	}
	if o.table != "" {
		if a.keys, err = o.keys(w); err != nil {
			return nil, err
		}
		a.log = dynamo.New(client, o.table)
	}
	copies := copies.New(client, o.copies)
	a.copies = copies
	return a, copies.Streams(ctx, func(s events.Stream) { a.streams = append(a.streams, s) })
}

func (o *archive) keys(w *env) (events.Keys, error) {
	text, from := w.getenv("PEPPERS"), "PEPPERS"
	if o.peppers != "" {
		var err error
		if text, err = datadir.ReadPrivate(o.peppers); err != nil {
			return events.Keys{}, err
		}
		from = o.peppers
	}
	if text == "" {
		return events.Keys{}, usagef("--table needs the peppers of the stack: set PEPPERS or give --peppers-file")
	}
	k, err := events.ParseKeys(text)
	if err != nil {
		return k, fmt.Errorf("reading %s: %w", from, err)
	}
	return k, nil
}

// outboxPage is more than a local outbox holds, unless its bus was broken for
// long.
const outboxPage = 100_000

func (o *archive) folder(ctx context.Context, _ *env) (*opened, error) {
	f, err := datadir.OpenExisting(ctx, o.data)
	if err != nil {
		return nil, err
	}
	a := &opened{log: f.Store, keys: f.Keys, waiting: map[string]bool{}, close: f.Close}
	pending, err := f.Store.Pending(ctx, time.Now().Add(time.Hour), outboxPage)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for _, m := range pending {
		a.waiting[m.ID] = true
	}
	copies, err := eventfile.OpenCopies(f.EventsPath())
	if errors.Is(err, os.ErrNotExist) {
		a.copies = noCopies{}
		return a, nil
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a.copies, a.streams = copies, copies.Streams()
	for _, fault := range copies.Faults {
		id := fmt.Sprintf("line %d", fault.Line)
		if fault.ID != "" {
			id = fault.ID
		}
		kind := audit.Forged
		if fault.ID != "" {
			kind = audit.Differs
		}
		a.faults = append(a.faults, audit.Finding{Kind: kind, ID: id, Detail: fault.Detail})
	}
	a.close = func() error { return errors.Join(copies.Close(), f.Close()) }
	return a, nil
}

// noCopies is a file of events that is not there.
type noCopies struct{}

func (noCopies) Copy(context.Context, events.Stream, uint64, int) ([]events.Message, error) {
	return nil, nil
}

func (a *opened) verify(ctx context.Context, w *env) error {
	streams, err := a.all(ctx)
	if err != nil {
		return err
	}
	n := len(a.faults)
	if err := a.print(w, a.faults); err != nil {
		return err
	}
	for _, s := range streams {
		r, err := audit.Compare(ctx, a.log, a.copies, a.keys, s, time.Now())
		if err != nil {
			return fmt.Errorf("comparing stream %s: %w", s, err)
		}
		r.Findings = slices.DeleteFunc(r.Findings, func(f audit.Finding) bool { return f.Kind == audit.Missing && a.waiting[f.ID] })
		if _, err := fmt.Fprintf(w.out, "%s: %d in the log, %d copies\n", plain(string(s)), r.Log, r.Copies); err != nil {
			return err
		}
		if err := a.print(w, r.Findings); err != nil {
			return err
		}
		n += len(r.Findings)
	}
	if n > 0 {
		return fmt.Errorf("the log and its copies do not agree: %d findings", n)
	}
	return nil
}

func (a *opened) print(w *env, found []audit.Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(w.out, "  %s\n", plain(f.String())); err != nil {
			return err
		}
	}
	return nil
}

// all are the streams that have copies, and those that the log may have beside
// them: the settings, and one for each owner of a token.
func (a *opened) all(ctx context.Context) ([]events.Stream, error) {
	streams := append(slices.Clone(a.streams), events.SettingsStream)
	q := events.Query{
		States: []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked, events.StateGone},
		Now:    time.Now(), Limit: 1000,
	}
	for {
		page, err := a.log.Tokens(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the owners: %w", err)
		}
		for _, v := range page.Views {
			streams = append(streams, events.UserStream(v.Owner))
		}
		slices.Sort(streams)
		streams = slices.Compact(streams)
		if !page.More {
			return streams, nil
		}
		q.After = page.Next
	}
}

// exportPage is how many events are read at a time.
const exportPage = 500

func (a *opened) export(ctx context.Context, w *env, owner string) error {
	streams := a.streams
	if owner != "" {
		who, err := token.ParseIdentity(owner)
		if err != nil {
			return usagef("--owner: %s", err)
		}
		key, err := who.Key()
		if err != nil {
			return usagef("--owner: %s", err)
		}
		streams = []events.Stream{events.UserStream(key)}
	}
	slices.Sort(streams)
	for _, s := range streams {
		if err := a.exportStream(ctx, w, s); err != nil {
			return err
		}
	}
	return nil
}

func (a *opened) exportStream(ctx context.Context, w *env, s events.Stream) error {
	for after := uint64(0); ; {
		ms, err := a.copies.Copy(ctx, s, after, exportPage)
		if err != nil {
			return err
		}
		for _, m := range ms {
			detail, err := m.Detail()
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w.out, "%s\n", detail); err != nil {
				return err
			}
			after = m.Seq
		}
		if len(ms) < exportPage {
			return nil
		}
	}
}
