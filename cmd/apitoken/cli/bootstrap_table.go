package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
)

// tableBootstrap is a bootstrap at a deployed stack's table.
type tableBootstrap struct {
	table   string
	file    string
	first   bool
	create  bool
	replace bool
}

// withTable teaches bootstrap to work at a DynamoDB table.
func withTable(e *env, c *cobra.Command) *cobra.Command {
	var b tableBootstrap
	f, local := c.Flags(), c.RunE
	f.StringVar(&b.table, "table", "", "work at this DynamoDB table instead of a folder")
	f.StringVar(&b.file, "out", "", "with --table: where to write the token (default TABLE.token)")
	f.BoolVar(&b.first, "first", false, "with --table: do nothing if there is an administrator")
	f.BoolVar(&b.create, "create-table", false, "with --table: make the table first; for local engines, which no template sets up")
	c.MarkFlagsMutuallyExclusive("table", "data")
	c.Long += `

With --table the store is a deployed stack's table. The peppers of the stack come
by the variable PEPPERS (kid:base64, the current one first), the prefix of its
tokens by TOKEN_PREFIX, and credentials and region as AWS's own tools have them.
The token is written to TABLE.token or the file that --out names.`
	c.RunE = func(c *cobra.Command, args []string) error {
		if b.table == "" && (b.first || b.create || b.file != "") {
			return usagef("--out, --first and --create-table go with --table")
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

func (b tableBootstrap) run(ctx context.Context, e *env) error {
	config, err := b.config(ctx, e)
	if err != nil {
		return err
	}
	done, err := b.done(ctx, config)
	switch {
	case err != nil:
		return err
	case done:
		_, err := fmt.Fprintf(e.out, "table %s has an administrator; without --first another token is made\n", b.table)
		return err
	}
	if err := b.write(ctx, issuer.New(config)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "the administrator's token is in %s\n", b.file)
	return err
}

// config is what an issuer at the table is made of.
func (b tableBootstrap) config(ctx context.Context, e *env) (c issuer.Config, err error) {
	peppers := e.getenv("PEPPERS")
	if peppers == "" {
		return c, usagef("PEPPERS is not set: --table needs the peppers of the stack")
	}
	if c.Keys, err = events.ParseKeys(peppers); err != nil {
		return c, fmt.Errorf("reading PEPPERS: %w", err)
	}
	if c.Prefix = e.getenv("TOKEN_PREFIX"); c.Prefix != "" {
		if err := secret.ValidPrefix(c.Prefix); err != nil {
			return c, fmt.Errorf("reading TOKEN_PREFIX: %w", err)
		}
	}
	client, err := chain.Client(ctx)
	if err != nil {
		return c, err
	}
	if b.create {
		if err := dynamo.CreateTable(ctx, client, b.table); err != nil {
			return c, err
		}
	}
	store := dynamo.New(client, b.table)
	c.Store = store
	c.Guard = guard.New(guard.Config{Views: store, Uses: store, Keys: c.Keys})
	return c, nil
}

// done says that there is nothing to do. It fails if the token in the file
// still works, as it would be overwritten and live on without anybody having it.
func (b tableBootstrap) done(ctx context.Context, c issuer.Config) (bool, error) {
	head, err := c.Store.Head(ctx, events.SettingsStream)
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
	t, err := secret.Parse(text)
	if err != nil {
		return false, nil // it is damaged or was never written, so nobody can use it
	}
	_, err = c.Guard.Check(ctx, t, netip.Addr{})
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return false, nil
	}
	if err == nil {
		err = fmt.Errorf("the token in %s still works: use it, or give --replace to revoke all tokens of %s", b.file, datadir.Admin)
	}
	return false, err
}

// write makes the token and puts it into the file. The file is written once
// before, so that a place that cannot be written to costs no token.
func (b tableBootstrap) write(ctx context.Context, i *issuer.Issuer) error {
	if err := datadir.WritePrivate(b.file, ""); err != nil {
		return err
	}
	_, text, err := i.Bootstrap(ctx, datadir.Admin, b.replace)
	if err != nil {
		return fmt.Errorf("making a token for %s: %w", datadir.Admin, err)
	}
	if err := datadir.WritePrivate(b.file, text.Reveal()); err != nil {
		return fmt.Errorf("a token was made and is lost, --replace makes another: %w", err)
	}
	return nil
}
