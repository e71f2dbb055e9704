package access

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
)

// origins has a service, a token and certificates for each origin of them: two
// contexts, flags and variables. Each service notes the tokens that it gets.
type origins struct {
	t     *testing.T
	dir   string
	url   map[string]string // by origin
	token map[string]string
	got   map[string][]string // the origins of the tokens that a service got
}

var originNames = []string{"flag", "variable", "ctx-a", "ctx-b"}

func newOrigins(t *testing.T) *origins {
	o := &origins{t: t, dir: t.TempDir(), url: map[string]string{}, token: map[string]string{}, got: map[string][]string{}}
	for _, name := range originNames {
		o.token[name] = secret.Mint("").Text().Reveal()
		o.write(name+".token", o.token[name])
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { o.note(name, r) }))
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients without the certificate end the handshake
		server.StartTLS()
		t.Cleanup(server.Close)
		o.url[name] = server.URL
		o.write(name+".pem", certificateOf(server))
	}
	for _, name := range []string{"ctx-a", "ctx-b"} {
		stored := Context{URL: o.url[name], TokenFile: o.path(name + ".token"), CAFile: o.path(name + ".pem")}
		if err := ChangeContexts(t.Context(), o.env(nil, ""), func(c *Contexts) error { c.Contexts[name] = stored; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (o *origins) path(name string) string { return filepath.Join(o.dir, name) }

func (o *origins) write(name, text string) {
	o.t.Helper()
	if err := os.WriteFile(o.path(name), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// note notes which token a service got.
func (o *origins) note(service string, r *http.Request) {
	for origin, token := range o.token {
		if strings.Contains(r.Header.Get("Authorization"), token) {
			o.got[service] = append(o.got[service], origin)
		}
	}
}

// env is the environment of a command. stdin is the name of a file.
func (o *origins) env(variables map[string]string, stdin string) *console.Env {
	e := &console.Env{Getenv: func(name string) string {
		if name == "XDG_CONFIG_HOME" {
			return o.path("config")
		}
		return variables[name]
	}}
	if stdin != "" {
		file, err := os.Open(o.path(stdin))
		if err != nil {
			o.t.Fatal(err)
		}
		o.t.Cleanup(func() { file.Close() })
		e.In = file
	}
	return e
}

// TestATokenGoesOnlyToItsOwnService makes a call with each combination of flags,
// variables and contexts. A context's token may reach only the service of this
// context, and no other token may reach it. The services have certificates that the
// client trusts only with a file, so the certificates matter too.
func TestATokenGoesOnlyToItsOwnService(t *testing.T) {
	o := newOrigins(t)
	runs, reached := 0, 0
	for _, current := range []string{"", "ctx-a"} {
		o.makeCurrent(current)
		for _, chosen := range []string{"", "F", "V", "FV"} {
			for _, url := range []string{"", "F", "V", "FV"} {
				for _, token := range []string{"", "F", "V", "I", "FV", "S", "SI"} {
					for _, ca := range []string{"", "F", "V", "FV"} {
						runs++
						if o.call(current, chosen, url, token, ca) {
							reached++
						}
					}
				}
			}
		}
	}
	if runs != 896 || reached < 200 {
		t.Errorf("%d of %d calls reached a service; too few to show anything", reached, runs)
	}
}

func (o *origins) makeCurrent(name string) {
	o.t.Helper()
	if err := ChangeContexts(o.t.Context(), o.env(nil, ""), func(c *Contexts) error { c.Current = name; return nil }); err != nil {
		o.t.Fatal(err)
	}
}

// call makes one call, and reports whether it reached a service. --context names
// ctx-b, and APITOKEN_CONTEXT names ctx-a.
func (o *origins) call(current, chosen, url, token, ca string) bool {
	o.t.Helper()
	label := fmt.Sprintf("current %q, context %q, url %q, token %q, ca %q", current, chosen, url, token, ca)
	args, variables, stdin := o.input(chosen, url, token, ca)
	clear(o.got)
	e := o.env(variables, stdin)
	var flags Flags
	c := &cobra.Command{RunE: func(c *cobra.Command, _ []string) error {
		client, err := flags.Client(o.t.Context(), e)
		if err == nil && flags.source.URL.Value != defaultURL { // something may listen there
			client.WhoAmI(o.t.Context())
		}
		return err
	}}
	c.SilenceErrors, c.SilenceUsage = true, true
	flags.Add(c)
	c.SetArgs(args)
	if err := c.Execute(); err != nil {
		if len(o.got) != 0 {
			o.t.Errorf("%s: the command failed and sent a token: %v", label, err)
		}
		return false
	}
	if used := flags.source.Context; used != "" && flags.source.CA.Value != o.path(used+".pem") || used == "" && strings.Contains(flags.source.CA.Value, "ctx-") {
		o.t.Errorf("%s: the certificates of %s are in %s", label, used, flags.source.CA.Value)
	}
	o.checkGot(label)
	return len(o.got) > 0
}

func (o *origins) checkGot(label string) {
	o.t.Helper()
	for service, tokens := range o.got {
		for _, origin := range tokens {
			own := service == origin
			byHand := !strings.HasPrefix(service, "ctx-") && !strings.HasPrefix(origin, "ctx-")
			if !own && !byHand {
				o.t.Errorf("%s: the service of %s got the token of %s", label, service, origin)
			}
		}
	}
}

// input builds the flags, the variables and standard input of one combination.
func (o *origins) input(chosen, url, token, ca string) (args []string, variables map[string]string, stdin string) {
	variables = map[string]string{}
	give := func(how, flag, variable, fromFlag, fromVariable string) {
		if strings.Contains(how, "F") {
			args = append(args, flag, fromFlag)
		}
		if strings.Contains(how, "V") {
			variables[variable] = fromVariable
		}
	}
	give(chosen, "--context", "APITOKEN_CONTEXT", "ctx-b", "ctx-a")
	give(url, "--url", "APITOKEN_URL", o.url["flag"], o.url["variable"])
	give(token, "--token-file", "APITOKEN_TOKEN_FILE", o.path("flag.token"), o.path("variable.token"))
	give(ca, "--ca-file", "APITOKEN_CA_FILE", o.path("flag.pem"), o.path("variable.pem"))
	if strings.Contains(token, "S") {
		args, stdin = append(args, "--token-file", "-"), "flag.token"
	}
	if strings.Contains(token, "I") {
		variables["APITOKEN_TOKEN"] = o.token["variable"]
	}
	return args, variables, stdin
}

// TestTheContextOfACallIsTheOneThatIsChosen: the tests above would also pass if each
// call failed, or used another context.
func TestTheContextOfACallIsTheOneThatIsChosen(t *testing.T) {
	o := newOrigins(t)
	o.makeCurrent("ctx-a")
	for _, c := range []struct{ chosen, url, token, ca, want string }{
		{"", "", "", "", "ctx-a"},
		{"F", "", "", "", "ctx-b"},
		{"FV", "", "", "", "ctx-b"},
		{"V", "", "", "", "ctx-a"},
		{"F", "V", "V", "V", "ctx-b"},
		{"V", "V", "V", "V", "variable"},
		{"", "V", "I", "V", "variable"},
		{"", "F", "S", "F", "flag"},
	} {
		o.call("ctx-a", c.chosen, c.url, c.token, c.ca)
		if got := o.got[c.want]; len(o.got) != 1 || !slices.Equal(got, []string{c.want}) {
			t.Errorf("%+v: the services got the tokens %v", c, o.got)
		}
	}
}
