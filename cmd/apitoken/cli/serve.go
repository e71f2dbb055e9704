package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/serve"
)

const defaultData = "./.apitoken"

func newServe(e *env) *cobra.Command {
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
			o.Version, o.Out, o.Logger = release(), e.out, slog.New(slog.NewJSONHandler(e.err, nil))
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
