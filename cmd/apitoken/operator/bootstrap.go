package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/issuer"
)

type bootstrap struct {
	data    string
	replace bool
}

// NewBootstrap returns the command bootstrap.
func NewBootstrap(e *console.Env) *cobra.Command {
	var o bootstrap
	c := &cobra.Command{
		Use: "bootstrap",
		Example: `  apitoken bootstrap --data .apitoken
  apitoken bootstrap --data .apitoken --replace
  apitoken bootstrap --table TABLE --out admin.token`,
		Short: "Give admin all permissions and a new token, directly in the store",
		Long: `Give the user admin all permissions on the realm security and a new token,
directly in the store. Use this command when the administrator's token is lost.
The token is written to DIR/admin.token (mode 0600) and never printed. No server
may use the folder at the same time.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	c.Flags().StringVar(&o.data, "data", datadir.DefaultData, "the data folder DIR")
	c.Flags().BoolVar(&o.replace, "replace", false, "first revoke all other tokens of admin")
	return withTable(e, c)
}

func (o *bootstrap) run(ctx context.Context, e *console.Env) (err error) {
	f, err := datadir.OpenExisting(ctx, o.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys})
	start, err := f.EnsureAdmin(ctx, i)
	if err == nil && start != datadir.StartWrote {
		err = makeAnother(ctx, f, i, o.replace)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "the administrator's token is in %s\n", f.AdminPath())
	return err
}

// makeAnother makes a new token for the administrator. Without replace it
// refuses if the token in the file still works: the new token would overwrite
// the file, and the old token would stay live although its secret is lost.
func makeAnother(ctx context.Context, f *datadir.Folder, i *issuer.Issuer, replace bool) error {
	if !replace {
		works, err := f.AdminWorks(ctx, i.Guard())
		if err != nil {
			return err
		}
		if works {
			return fmt.Errorf("the token in %s still works: use it, or give --replace to revoke all tokens of %s", f.AdminPath(), datadir.Admin)
		}
	}
	return f.NewAdmin(ctx, i, replace)
}
