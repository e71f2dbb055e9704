package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/proxyconfig"
)

// newConfig returns the command that prints a configuration for a reverse proxy.
func newConfig(e *console.Env) *cobra.Command {
	a, standalone := proxyconfig.Default, false
	c := &cobra.Command{
		Use: "config PROXY",
		Example: `  apitoken config nginx >/etc/nginx/conf.d/apitoken.conf
  apitoken config caddy --listen 0.0.0.0:80 --backend 127.0.0.1:3000`,
		Short: "Print a configuration for nginx, Traefik, Caddy or Envoy",
		Long: `Print a complete configuration for a reverse proxy: nginx, traefik, caddy or envoy.
The proxy asks apitoken serve about each request, and passes only requests with a
valid token on to your service.

Your service gets four headers: Apitoken-Owner, Apitoken-Token-Id, Apitoken-Scopes
(METHOD:PATH for each scope, separated by spaces) and Apitoken-Expires. "-" means
none. All bytes outside of printable ASCII, and the percent sign, are written as %XX.
The token itself does not reach your service.

A scope is compared with the method and the path that the client sent to the proxy.
No scope has a host: a token is valid at every service behind every proxy of one
deployment. Give each service a path of its own, such as /billing/ and /reports/.

HAProxy is not among them: it asks by a Lua script that needs Lua libraries which
Debian does not package.`,
		Args:              proxyArg,
		ValidArgsFunction: cobra.FixedCompletions(proxyconfig.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			if standalone && args[0] != "nginx" {
				return console.Usagef("--standalone is only for nginx; the configuration for %s is whole without it", args[0])
			}
			text, err := proxyconfig.Config(args[0], a)
			if err != nil {
				return console.Usagef("%s", err)
			}
			if standalone {
				if text, err = proxyconfig.Standalone(text); err != nil {
					return err
				}
			}
			_, err = fmt.Fprint(e.Out, text)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&a.Listen, "listen", a.Listen, "where the proxy listens, HOST:PORT")
	f.StringVar(&a.Backend, "backend", a.Backend, "the address of your service, HOST:PORT")
	f.StringVar(&a.Forward, "forward", a.Forward, "the address of --forward-listen of apitoken serve, HOST:PORT or unix:PATH")
	f.BoolVar(&standalone, "standalone", false, "print a whole configuration of nginx, to try it in a folder of your own: nginx -p FOLDER -c nginx.conf")
	return c
}

func proxyArg(_ *cobra.Command, args []string) error {
	allowed := strings.Join(proxyconfig.Names(), ", ")
	switch {
	case len(args) != 1:
		return console.Usagef("give exactly one proxy; allowed: %s", allowed)
	case strings.EqualFold(args[0], "haproxy"):
		return console.Usagef("haproxy is not supported: it asks by a Lua script that needs Lua libraries which Debian does not package; allowed: %s", allowed)
	case !slices.Contains(proxyconfig.Names(), args[0]):
		return console.Usagef("%q is no proxy that can ask; allowed: %s", args[0], allowed)
	}
	return nil
}
