package operator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
	"apitoken/infra/dynamo/probe"
)

// tableBootstrap is a bootstrap in the table of a deployed stack.
type tableBootstrap struct {
	table   string
	file    string
	first   bool
	replace bool
}

// withTable adds to bootstrap the flags and the run of a DynamoDB table.
func withTable(e *console.Env, c *cobra.Command) *cobra.Command {
	var b tableBootstrap
	f, local := c.Flags(), c.RunE
	f.StringVar(&b.table, "table", "", "use this DynamoDB table in place of a folder")
	f.StringVar(&b.file, "out", "", "with --table: the file for the token (default TABLE.token)")
	f.BoolVar(&b.first, "first", false, "with --table: do nothing if an administrator exists")
	c.MarkFlagsMutuallyExclusive("table", "data")
	c.Long += `

With --table the store is the table of a deployed stack, or a table of
apitoken table create. The variable PEPPERS has the peppers of the stack
(kid:base64, the current one first), and TOKEN_PREFIX has the prefix of its tokens.
Credentials and region are set as for AWS's own tools. The token is written to the
file of --out.`
	c.RunE = func(c *cobra.Command, args []string) error {
		if b.table == "" && (b.first || b.file != "") {
			return console.Usagef("--out and --first need --table")
		}
		if b.table == "" {
			return local(c, args)
		}
		b.replace, _ = f.GetBool("replace")
		if b.file == "" {
			b.file = b.table + ".token"
		}
		return b.run(c.Context(), e)
	}
	return c
}

func (b tableBootstrap) run(ctx context.Context, e *console.Env) error {
	config, err := b.config(ctx, e)
	if err != nil {
		return err
	}
	i := issuer.New(config)
	done, err := b.done(ctx, config.Store, i.Guard())
	switch {
	case err != nil:
		return err
	case done:
		_, err := fmt.Fprintf(e.Out, "table %s has an administrator; nothing was changed. Without --first the command makes a new token\n", b.table)
		return err
	}
	if err := b.write(ctx, i); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "the administrator's token is in %s\n", b.file)
	return err
}

// config builds the configuration of an issuer on the table.
func (b tableBootstrap) config(ctx context.Context, e *console.Env) (c issuer.Config, err error) {
	if c.Keys, c.Prefix, err = TableSettings(e); err != nil {
		return c, err
	}
	client, err := chain.Client(ctx)
	if err != nil {
		return c, err
	}
	c.Store = dynamo.New(client, b.table)
	return c, nil
}

// done reports whether there is nothing to do. It returns an error if the token
// in the file still works: the new token would overwrite the file, and the old
// token would stay live although its secret is lost.
func (b tableBootstrap) done(ctx context.Context, log events.Log, g *guard.Guard) (bool, error) {
	head, err := log.Head(ctx, events.SettingsStream)
	if err != nil {
		return false, fmt.Errorf("reading the settings in table %s: %w", b.table, err)
	}
	if b.first && head.Version > 0 {
		return true, nil
	}
	if _, err := os.Stat(b.file); b.replace || errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	text, err := datadir.ReadPrivate(b.file)
	if err != nil {
		return false, err
	}
	t, err := datadir.ParseToken(text)
	if err != nil {
		return false, nil // the text is damaged or was never written: no caller can use it
	}
	_, err = g.Check(ctx, t, netip.Addr{})
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return false, nil
	}
	if err == nil {
		err = fmt.Errorf("the token in %s still works: use it, or give --replace to revoke all tokens of %s", b.file, datadir.Admin)
	}
	return false, err
}

// write makes the token and writes it into the file. It first writes an empty
// file: if the path is not writable, no token is made.
func (b tableBootstrap) write(ctx context.Context, i *issuer.Issuer) error {
	if err := datadir.WritePrivate(b.file, ""); err != nil {
		return err
	}
	_, text, err := i.Bootstrap(ctx, datadir.Admin, b.replace)
	if err != nil {
		return b.explained(ctx, fmt.Errorf("making a token for %s: %w", datadir.Admin, err))
	}
	if err := datadir.WritePrivate(b.file, text.Reveal()); err != nil {
		return fmt.Errorf("the new token is lost; run the command with --replace, which revokes the lost token and makes another: %w", err)
	}
	return nil
}

// explained returns what the service of the table lacks, if this may be why the
// bootstrap failed: such a service answers in many ways. Otherwise it returns err.
func (b tableBootstrap) explained(ctx context.Context, err error) error {
	if _, refused := errors.AsType[*events.Refusal](err); refused || ctx.Err() != nil {
		return err
	}
	client, cerr := chain.Client(ctx)
	if cerr != nil {
		return err
	}
	if missing, lacks := errors.AsType[*probe.MissingError](probe.Run(ctx, client, b.table)); lacks {
		return missing
	}
	return err
}
