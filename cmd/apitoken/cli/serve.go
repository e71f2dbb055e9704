package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/serve"
	"apitoken/events/issuer"
)

const defaultData = "./.apitoken"

func newServe(w *world) *cobra.Command {
	var o serve.Config
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API from a local folder",
		Long: `Serve the API from a local folder, which the first start makes. That start also
writes the administrator's token to DIR/admin.token and says where; the token
itself is never printed.

Standard output says where the service listens. Standard error has a JSON line
for each request. DIR/events.jsonl receives every event. SIGTERM and Ctrl-C end
it after the requests in flight.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Version, o.Out, o.Logger = release(), w.out, slog.New(slog.NewJSONHandler(w.err, nil))
			return serve.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "where to listen; port 0 takes a free one")
	f.StringVar(&o.Data, "data", defaultData, "the data folder DIR")
	f.BoolVar(&o.TLSSelfSigned, "tls-self-signed", false, "serve https with a certificate of its own, kept as DIR/tls.crt")
	f.StringVar(&o.TLSCert, "tls-cert", "", "serve https with this certificate (PEM)")
	f.StringVar(&o.TLSKey, "tls-key", "", "and this key (PEM, mode 0600)")
	return c
}

func newBootstrap(w *world) *cobra.Command {
	var data string
	var replace bool
	c := &cobra.Command{
		Use:   "bootstrap",
		Short: "Give admin all permissions and a new token, at the store itself",
		Long: `Give the user admin all permissions on the realm security and a new token, at the
store itself: for when the administrator's token is lost. The token is written
to DIR/admin.token (mode 0600) and never printed. No server may be using the
folder meanwhile.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return bootstrap(c.Context(), w, data, replace) },
	}
	c.Flags().StringVar(&data, "data", defaultData, "the data folder DIR")
	c.Flags().BoolVar(&replace, "replace", false, "revoke admin's other tokens first")
	return withTable(w, c)
}

func bootstrap(ctx context.Context, w *world, data string, replace bool) (err error) {
	f, err := datadir.OpenExisting(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys})
	start, err := f.EnsureAdmin(ctx, i)
	if err == nil && start != datadir.StartWrote {
		err = another(ctx, f, i, replace)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "the administrator's token is in %s\n", f.AdminPath())
	return err
}

// another makes a further token for the administrator, unless the one in the
// file still works: it would be overwritten, and live on without anybody
// having it.
func another(ctx context.Context, f *datadir.Folder, i *issuer.Issuer, replace bool) error {
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
