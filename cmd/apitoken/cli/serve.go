package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/serve"
	"apitoken/infra/eventfile"
)

func newServe(e *console.Env) *cobra.Command {
	var o serve.Config
	part := size(eventfile.DefaultPart)
	c := &cobra.Command{
		Use: "serve",
		Example: `  apitoken serve
  apitoken serve --data /var/lib/apitoken --listen 0.0.0.0:8443 --tls-self-signed`,
		Short: "Serve the API from a local folder",
		Long: `Serve the API from a local folder. The first start creates the folder and writes
the administrator's token to DIR/admin.token. It prints the path of that file,
but never the token.

Standard output has the address of the service. Standard error has a JSON line
for each request. DIR/events.jsonl receives every event; when it is full, it
becomes DIR/events.000001.jsonl, the next one DIR/events.000002.jsonl, and so on.
What is past its retention is removed from the store, but not from these files.
After SIGTERM or Ctrl-C the service answers the requests in flight and then exits.
The next start writes the events that are then not yet in the file.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("trusted-proxies") && len(o.TrustedProxies) == 0 {
				return console.Usagef("--trusted-proxies is empty; give addresses or CIDR ranges, or leave the flag out")
			}
			o.EventsPart = int64(part)
			o.Version, o.Out, o.Logger = console.Release(), e.Out, slog.New(slog.NewJSONHandler(e.Err, nil))
			return serve.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "the address to listen on; port 0 selects a free port")
	f.StringVar(&o.Data, "data", datadir.DefaultData, "the data folder DIR")
	f.Var(&part, "events-part", "the size of a part of the event file, in KB, MB or GB; a full part gets a number")
	f.BoolVar(&o.TLSSelfSigned, "tls-self-signed", false, "serve https with a self-signed certificate, stored as DIR/tls.crt")
	f.StringVar(&o.TLSCert, "tls-cert", "", "serve https with the certificate in this file (PEM)")
	f.StringVar(&o.TLSKey, "tls-key", "", "the file with the key of that certificate (PEM, mode 0600)")
	f.StringSliceVar(&o.TrustedProxies, "trusted-proxies", nil, "addresses and CIDR ranges of reverse proxies; only for requests from these, the client's address is read from X-Forwarded-For (default: none)")
	return c
}
