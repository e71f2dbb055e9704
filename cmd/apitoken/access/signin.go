package access

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// defaultSignIn is the name of the context of a sign-in that names none.
const defaultSignIn = "login"

// sessionSuffix ends the name of the file with the session of a context. Only a sign-in
// writes such a file, in the folder of the contexts.
const sessionSuffix = ".session"

// SignIn holds the flags that say where a command signs in, and which context gets the
// session.
type SignIn struct {
	url, caFile, context string
	insecureHTTP         bool
}

// Add adds the flags to a command.
func (s *SignIn) Add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.url, "url", "", "the service's address, https://HOST or unix:PATH (default $APITOKEN_URL, then that of the context, then "+defaultURL+")")
	f.StringVar(&s.caFile, "ca-file", "", "a file with PEM certificates to trust in addition to the system's, for the service and the issuer (default $APITOKEN_CA_FILE, then that of the context)")
	f.BoolVar(&s.insecureHTTP, "insecure-http", false, "allow plain http to another machine; others on the network can then read the session")
	f.StringVar(&s.context, "context", "", "the context that gets the session (default $APITOKEN_CONTEXT, then the current context if it has a session, then "+defaultSignIn+")")
}

// Place is where a command signs in, and where the session is stored.
type Place struct {
	Name    string // of the context
	Context Context
	dir     string
	known   bool // the context was stored before, so its file is for its service
}

// Place chooses the service and the context. It refuses a context with a token of its
// own, which a session would replace.
func (s *SignIn) Place(e *console.Env, given func(flag string) bool) (p Place, err error) {
	for _, flag := range []struct{ name, value string }{{"url", s.url}, {"ca-file", s.caFile}, {"context", s.context}} {
		if given(flag.name) && flag.value == "" { // the variable in --url "$STAGING" may be unset
			return p, console.Usagef("--%s is empty; give a value, or leave the flag out", flag.name)
		}
	}
	if p.dir, err = contextFolder(e); err != nil {
		return p, err
	}
	if p.dir == "" {
		return p, errors.New("there is no folder for the session: set HOME or XDG_CONFIG_HOME")
	}
	stored, err := ReadContexts(e)
	if err != nil {
		return p, err
	}
	byHand := Flags{url: s.url, caFile: s.caFile}
	url, err := byHand.givenURL(e)
	if err != nil {
		return p, err
	}
	ca, err := byHand.givenCA(e)
	if err != nil {
		return p, err
	}
	if p.Name, err = s.name(e, stored, p.dir, url.Value); err != nil {
		return p, err
	}
	before, exists := stored.Contexts[p.Name]
	if !exists {
		before = stored.Contexts[stored.Current] // the service that other commands use
	}
	p.Context = Context{TokenFile: sessionFile(p.dir, p.Name), URL: cmp.Or(url.Value, before.URL, defaultURL), InsecureHTTP: s.insecureHTTP, CAFile: ca.Value}
	if url.Value == "" {
		p.Context.InsecureHTTP, p.Context.CAFile = s.insecureHTTP || before.InsecureHTTP, cmp.Or(ca.Value, before.CAFile)
	}
	if p.known = exists; exists {
		if err := p.checkSame(before, url); err != nil {
			return p, err
		}
	}
	if p.Context.CAFile != "" {
		if p.Context.CAFile, err = filepath.Abs(p.Context.CAFile); err != nil {
			return p, err
		}
	}
	return p, checkURL(Part{Value: p.Context.URL, From: cmp.Or(url.From, "the context")}, p.Context.InsecureHTTP)
}

// name is the name of the context.
func (s *SignIn) name(e *console.Env, stored Contexts, dir, url string) (string, error) {
	name, by := s.context, contextFlag
	if name == "" {
		var err error
		if name, err = e.EnvValue("APITOKEN_CONTEXT"); err != nil {
			return "", err
		}
		by = "APITOKEN_CONTEXT"
	}
	current := stored.Contexts[stored.Current]
	switch {
	case name != "" && !validName(name):
		return "", console.Usagef("%s is not the name of a context; allowed: %s", by, nameForm)
	case name != "":
		return name, nil
	case stored.Current != "" && current.TokenFile == sessionFile(dir, stored.Current) && (url == "" || url == current.URL):
		return stored.Current, nil
	}
	return defaultSignIn, nil
}

func (p Place) checkSame(before Context, url Part) error {
	switch {
	case before.TokenFile != p.Context.TokenFile:
		return console.Usagef("the context %s has a token of its own in %s, and a session would take its place; give the name of another context with --context", p.Name, before.TokenFile)
	case before.URL != p.Context.URL:
		return console.Usagef("the context %s is for %s, and %s names another service; give the name of another context with --context", p.Name, before.URL, url.From)
	}
	return nil
}

func sessionFile(dir, name string) string { return filepath.Join(dir, name+sessionSuffix) }

// Prepare makes the folder of the session, before there is a session to lose.
func (p Place) Prepare() error {
	if err := datadir.MakePrivateFolder(p.dir); err != nil {
		return fmt.Errorf("preparing to store the session: %w", err)
	}
	return nil
}

// Client returns a client of the service, with a session or without.
func (p Place) Client(e *console.Env, session secret.Secret) (*httpapi.Client, error) {
	name := "the context " + p.Name
	base, hc, err := Source{URL: Part{p.Context.URL, name}, CA: partOf(p.Context.CAFile, name), insecureHTTP: p.Context.InsecureHTTP}.endpoint(e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, session, hc), nil
}

// Transport is for requests to the issuer. It trusts what the client of the service
// trusts.
func (p Place) Transport() (http.RoundTripper, error) {
	roots, err := rootsIn(p.Context.CAFile)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// Session is the stored session of the context, the zero Secret if there is none. The file
// of a context that was removed may have one of another service: only its own service may
// get a session.
func (p Place) Session() secret.Secret {
	if !p.known {
		return secret.Secret{}
	}
	return p.inFile()
}

// Orphan reports whether the file has a session of a context that was removed.
func (p Place) Orphan() bool { return !p.known && p.inFile().Reveal() != "" }

func (p Place) inFile() secret.Secret {
	text, err := datadir.ReadSecret(p.Context.TokenFile)
	if _, wrong := secret.Parse(text); err != nil || wrong != nil {
		return secret.Secret{}
	}
	return secret.New(text)
}

// Store writes the session into its file, and makes its context the current one.
func (p Place) Store(ctx context.Context, e *console.Env, session secret.Secret) error {
	return ChangeContexts(ctx, e, func(stored *Contexts) error {
		if before, exists := stored.Contexts[p.Name]; exists {
			if err := p.checkSame(before, Part{From: "this sign-in"}); err != nil { // another process has changed it meanwhile
				return err
			}
		}
		datadir.RemoveUnfinished(p.Context.TokenFile)
		if err := datadir.WritePrivate(p.Context.TokenFile, session.Reveal()); err != nil {
			return err
		}
		stored.Contexts[p.Name], stored.Current = p.Context, p.Name
		return nil
	})
}

// SignedIn returns the place of a session that is stored: that of the context name, or of
// the one that APITOKEN_CONTEXT names, or of the current one.
func SignedIn(e *console.Env, name string) (p Place, err error) {
	if p.dir, err = contextFolder(e); err != nil {
		return p, err
	}
	stored, err := ReadContexts(e)
	if err != nil {
		return p, err
	}
	if name == "" {
		if name, err = e.EnvValue("APITOKEN_CONTEXT"); err != nil {
			return p, err
		}
	}
	if p.Name = cmp.Or(name, stored.Current); p.Name == "" {
		return p, console.Usagef("no context is chosen, so there is no session to end; `apitoken context list` shows the contexts")
	}
	if err := CheckName(p.Name); err != nil {
		return p, err
	}
	if p.Context, p.known = stored.Contexts[p.Name]; !p.known {
		return p, console.Usagef("there is no context %s; `apitoken context list` shows those that exist", p.Name)
	}
	if p.Context.TokenFile != sessionFile(p.dir, p.Name) {
		return p, console.Usagef("the context %s has a token of its own and no session of `apitoken login`; to end the token, run `apitoken revoke self --context %s`", p.Name, p.Name)
	}
	return p, nil
}

// Forget removes the file of the session. The context stays for the next sign-in.
func (p Place) Forget() error {
	if err := os.Remove(p.Context.TokenFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the session: %w", err)
	}
	return nil
}
