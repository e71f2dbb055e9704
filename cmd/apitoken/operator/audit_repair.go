package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
)

func newAuditRepair(e *console.Env) *cobra.Command {
	var f repairFlags
	c := &cobra.Command{
		Use: "repair",
		Example: `  apitoken audit repair --data .apitoken --stream user/ann
  apitoken audit repair --table TABLE --stream settings`,
		Short: "End the block of a stream that has a record newer than its head",
		Long: `End the block of a stream that has a record newer than its head. Such a record
blocks all commands on the stream, and the fault of a command names the stream.

A record that the service did not write was planted: the command removes it. A
record that the service wrote shows that the head was put back to an older one:
the command folds the record into a new head, and writes the view of its token
again. It writes no event. It prints a line for each step, or "nothing to repair".

The command changes nothing if the head is damaged, or if a record is neither
planted nor continues the stream. If it was interrupted, or if a command of the
service wrote to the stream meanwhile, run it again.

With --table the log is a table of a deployed stack. The stack's peppers are in
the variable PEPPERS (kid:base64, the current one first) or in --peppers-file.
Credentials and region are found as AWS's own tools find them. Otherwise the log
is in the data folder DIR, which no server may use meanwhile.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.repair(c, e) },
	}
	c.Flags().StringVar(&f.data, "data", datadir.DefaultData, "the data folder DIR")
	f.addLog(c)
	c.Flags().StringVar(&f.stream, "stream", "", "the stream: user/NAME, session/NAME or settings")
	c.MarkFlagsMutuallyExclusive("table", "data")
	return c
}

// repairFlags say which stream of which log is repaired.
type repairFlags struct {
	sourceFlags
	stream string
}

func (f *repairFlags) repair(c *cobra.Command, e *console.Env) error {
	stream, err := streamNamed(f.stream)
	if err != nil {
		return console.Usagef("--stream: %s", err)
	}
	return f.withLog(c.Context(), e, func(store issuer.RepairStore, k events.Keys) error {
		return repair(c.Context(), e, store, k, stream)
	})
}

// streamNamed reads the name of a stream, as faults and findings show it.
func streamNamed(text string) (events.Stream, error) {
	if text == string(events.SettingsStream) {
		return events.SettingsStream, nil
	}
	given := events.Stream(text)
	owner, owned := given.Owner()
	if !owned || owner == "" {
		return "", errors.New("the name of the stream is missing or unknown; allowed: user/NAME, session/NAME, settings")
	}
	if name.ValidOwner(owner) == nil {
		return given, nil
	}
	key, err := name.OwnerKey(owner)
	if err != nil {
		return "", fmt.Errorf("the NAME of %s/NAME is invalid: %w", given.Kind(), err)
	}
	if given.Kind() == events.SessionStreams {
		return events.SessionStream(key), nil
	}
	return events.UserStream(key), nil
}

// withLog opens the log, calls do, and closes the log.
func (f *repairFlags) withLog(ctx context.Context, e *console.Env, do func(issuer.RepairStore, events.Keys) error) (err error) {
	if f.table == "" {
		folder, err := datadir.OpenExisting(ctx, f.data)
		if err != nil {
			return err
		}
		return errors.Join(do(folder.Store, folder.Keys), folder.Close())
	}
	k, err := f.keys(e)
	if err != nil {
		return err
	}
	client, err := chain.Client(ctx)
	if err != nil {
		return err
	}
	return do(dynamo.WithRepairs{Store: dynamo.New(client, f.table)}, k)
}

func repair(ctx context.Context, e *console.Env, store issuer.RepairStore, k events.Keys, stream events.Stream) error {
	steps := 0
	err := issuer.Repair(ctx, store, k, stream, time.Now(), func(step string) error {
		steps++
		_, err := fmt.Fprintf(e.Out, "%s\n", console.Plain(oneLine(step)))
		return err
	})
	if err == nil && steps == 0 {
		_, err = fmt.Fprintf(e.Out, "%s: nothing to repair\n", console.Plain(string(stream)))
	}
	if err != nil {
		return fmt.Errorf("repairing stream %s: %w", stream, err)
	}
	return nil
}
