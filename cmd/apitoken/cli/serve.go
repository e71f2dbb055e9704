package cli

import (
	"net"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/jsonlog"
	"apitoken/cmd/apitoken/serve"
	"apitoken/events"
	"apitoken/infra/eventfile"
)

func newServe(e *console.Env) *cobra.Command {
	var o serve.Config
	part := size(eventfile.DefaultPart)
	c := &cobra.Command{
		Use: "serve",
		Example: `  apitoken serve
  apitoken serve --data /var/lib/apitoken --listen 0.0.0.0:8443 --tls-self-signed
  apitoken serve --listen unix:/run/apitoken/apitoken.sock
  apitoken serve --table tokens --bus tokens --listen 0.0.0.0:8443 --tls-cert crt.pem --tls-key key.pem`,
		Short: "Serve the API from a local folder, or from a DynamoDB table",
		Long: `Serve the API from a local folder, or with --table from a DynamoDB table. In a new
folder the first start writes the administrator's token to DIR/admin.token. It
prints the path of that file, but never the token.

Standard output has the address of the service. Standard error has a JSON line
for each request, up to 0.1 s after the answer; a kill -9 loses the lines of the
last 0.1 s. DIR/events.jsonl receives every event; when it is full, it becomes
DIR/events.000001.jsonl, the next one DIR/events.000002.jsonl, and so on.
What is past its retention is removed from the store, but not from these files.
After SIGTERM or Ctrl-C the service answers the requests in flight, for 30 seconds at
most, and then exits. The next start writes the events that are then not yet in the
file. SIGHUP never ends the service: it reads the certificate and its key
again, the password file, and the issuers with their secrets. So does the service
itself each minute. If the new content cannot be used, the one before stays in use,
and the log says why.

A self-signed certificate is signed by DIR/tls.crt, which clients take with --ca-file.
DIR/tls.crt and its key stay when names or periods change.

With --password-file its users sign in with a password: apitoken login --user NAME,
the page, and the logins of Qumulo's and VAST's clients. A session ends after 10
hours. After 5 wrong passwords for a user within a minute, or 10 in all, more from
the same address are refused for the rest of that minute. No other call takes a
password. A password that is changed or removed leaves open sessions open: end them
with apitoken sessions close ID.

With --oidc-issuers, people sign in at an identity provider, with a browser at
/ui/login or with apitoken login, and programs exchange a JWT for a session. The file
is a JSON array with an object for each issuer:
  [{"alias": "work", "url": "https://login.example.com", "client_id": "apitoken"}]
The alias is a part of the users' names, so never change it. The address for a
client_id to register at the issuer is PUBLIC-URL/ui/callback, and with client_ids of
several issuers PUBLIC-URL/ui/callback?issuer=ALIAS, without a wildcard. serve starts
also if an issuer does not answer. The sessions of an issuer that is removed stay open:
end them with apitoken sessions close ID.

The user and the group of the process may use a Unix socket (mode 0660). Its peers
have no address: a token with source ranges is refused, unless --trusted-proxies has
unix: and a proxy sends X-Forwarded-For.

nginx, Traefik, Caddy and Envoy ask for verdicts at --forward-listen: see apitoken
config --help.

Prometheus reads /metrics at --metrics-listen. /healthz and /readyz there answer 200
or 503: /healthz says whether the process writes its store, /readyz also whether the
data folder has room and the event file takes events. No label names a token or a user.
Everybody who can reach the address can read them without a credential.

` + tableHelp,
		Args: console.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "the address to listen on, HOST:PORT or unix:PATH; port 0 selects a free port")
	f.StringVar(&o.Data, "data", datadir.DefaultData, "the data folder DIR")
	f.StringVar(&o.Table.Name, "table", "", "use this DynamoDB table in place of a data folder, together with other processes (default: none)")
	f.StringVar(&o.Table.Bus, "bus", "", "with --table: the EventBridge bus that gets the events, its name or ARN; leave the flag out if a stack publishes the events of the table (default: none)")
	f.Var(&part, "events-part", "the size of a part of the event file, in KB, MB or GB; a full part gets a number")
	f.BoolVar(&o.TLSSelfSigned, "tls-self-signed", false, "serve https with a self-signed certificate; clients trust it with DIR/tls.crt")
	f.StringSliceVar(&o.TLSNames, "tls-name", nil, "one more host name or address in the self-signed certificate, repeatable; it has localhost, the host of --listen, and for 0.0.0.0 and :: the host name and the addresses of the machine")
	f.StringVar(&o.TLSCert, "tls-cert", "", "serve https with the certificate in this file (PEM)")
	f.StringVar(&o.TLSKey, "tls-key", "", "the file with the key of that certificate (PEM, mode 0600, or readable to the group if root owns it)")
	f.StringVar(&o.PasswordFile, "password-file", "", "users who may sign in with a password: lines USER:HASH of htpasswd -B -C 12; other users must not be able to change the file (default: no passwords)")
	f.StringSliceVar(&o.TrustedProxies, "trusted-proxies", nil, "addresses and CIDR ranges of reverse proxies; only for requests from these, the client's address is read from X-Forwarded-For; unix: means the peers on a Unix socket (default: none)")
	f.StringVar(&o.ForwardListen, "forward-listen", "127.0.0.1:8081", "where reverse proxies ask for verdicts, HOST:PORT or unix:PATH; none for nowhere, which is the default if --listen is a Unix socket; if --listen has port 0, the default has it too")
	f.StringSliceVar(&o.ForwardPeers, "forward-peers", nil, "addresses and CIDR ranges of reverse proxies on other machines that may ask for verdicts (default: none; those on this machine may always ask)")
	f.StringVar(&o.MetricsListen, "metrics-listen", "none", "where /metrics, /healthz and /readyz answer, HOST:PORT or unix:PATH; none for nowhere")
	f.StringVar(&o.PublicURL, "public-url", "", "the address of the service for its clients, https://HOST[:PORT]; with it, clients of OAuth find metadata of the service (default: none)")
	f.StringVar(&o.OIDCIssuers, "oidc-issuers", "", "the file with the issuers of OpenID Connect at which people and programs sign in, a JSON array (mode 0600); with a client_id it needs --public-url (default: none)")
	f.StringVar(&o.OIDCSecrets, "oidc-secrets", "", "the file with the client secrets at these issuers, a JSON object by alias (mode 0600)")
	variables := console.NewVariables(c, access.Variables...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		hangup := hangups()
		if err := variables.Read(e); err != nil {
			return err
		}
		if c.Flags().Changed("trusted-proxies") && len(o.TrustedProxies) == 0 {
			return console.Usagef("--trusted-proxies is empty; give addresses or CIDR ranges, or leave the flag out")
		}
		if c.Flags().Changed("forward-peers") && len(o.ForwardPeers) == 0 {
			return console.Usagef("--forward-peers is empty; give addresses or CIDR ranges, or leave the flag out")
		}
		if c.Flags().Changed("password-file") && o.PasswordFile == "" {
			return console.Usagef("--password-file is empty; give the path of a file, or leave the flag out")
		}
		if c.Flags().Changed("public-url") {
			var err error
			if o.PublicURL, err = events.PublicURL(o.PublicURL); err != nil {
				return console.Usagef("--public-url: %v", err)
			}
		}
		if err := readTable(c, e, &o.Table); err != nil {
			return variables.Explain(err)
		}
		if !c.Flags().Changed("forward-listen") {
			o.ForwardListen = forwardDefault(o.Listen, o.ForwardListen)
		}
		o.EventsPart = int64(part)
		defer keepHeapFloor(e.Getenv)()
		log := jsonlog.New(e.Err)
		defer log.Flush() // before an error is written, and after the last request
		o.Version, o.Out, o.Logger = console.Release(), e.Out, log.Logger()
		o.Hangup, o.NotifySocket = hangup, e.Getenv("NOTIFY_SOCKET")
		for _, typo := range variables.Typos(e) {
			o.Logger.Warn("an unknown variable looks like one of serve", "variable", typo.Variable, "nearest", typo.Nearest)
		}
		var err error
		if o.Credentials, err = e.EnvPath("CREDENTIALS_DIRECTORY"); err != nil {
			return err
		}
		return variables.Explain(serve.Run(c.Context(), o))
	}
	return c
}

// forwardDefault is the default of --forward-listen. Who chooses a Unix socket or any
// free port wants no fixed port in use.
func forwardDefault(listen, usual string) string {
	switch _, port, _ := net.SplitHostPort(listen); {
	case strings.HasPrefix(listen, "unix:"):
		return "none"
	case port == "0":
		return "127.0.0.1:0"
	}
	return usual
}
