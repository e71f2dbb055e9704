package access

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/setting"
	"apitoken/events/secret"
)

// NewContext holds the flags of a context to store.
type NewContext struct{ given Context }

// Add adds the flags to a command.
func (n *NewContext) Add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.given.URL, "url", "", "the service's address")
	f.StringVar(&n.given.TokenFile, "token-file", "", "the file (mode 0600) that contains your token")
	f.StringVar(&n.given.CAFile, "ca-file", "", "a file with PEM certificates to trust in addition to the system's")
	f.BoolVar(&n.given.InsecureHTTP, "insecure-http", false, "allow plain http to another machine; others on the network can then read the token")
	f.BoolVar(&n.given.TokenFileShared, "token-file-shared", false, "accept a token file that other users can read, if this user cannot change it")
}

// Context is the context that the flags describe. doubt is the reason why it cannot be
// used now: a file may be written later.
func (n *NewContext) Context(e *console.Env, name string) (c Context, doubt, err error) {
	c = n.given
	for _, flag := range []struct{ name, value string }{{"--url", c.URL}, {"--token-file", c.TokenFile}, {"--ca-file", c.CAFile}} {
		switch {
		case flag.value == "" && flag.name != "--ca-file":
			return c, nil, console.Usagef("%s is missing: a context has an address and the file with the token for it", flag.name)
		case secret.WithinEscaped(flag.value):
			return c, nil, console.Usagef("%s contains a whole token, which would be stored; your shell's history may now contain the token; revoke the token if others can read that history", flag.name)
		}
	}
	if err := checkKept("--token-file", c.TokenFile); err != nil {
		return c, nil, err
	}
	if err := checkKept("--ca-file", c.CAFile); err != nil {
		return c, nil, err
	}
	if c.URL, err = console.ReadSetting("--url", c.URL, setting.Value); err != nil {
		return c, nil, err
	}
	if err := checkURL(Part{Value: c.URL, From: "--url"}, c.InsecureHTTP); err != nil {
		return c, nil, err
	}
	if c.TokenFile, err = filepath.Abs(c.TokenFile); err == nil && c.CAFile != "" {
		c.CAFile, err = filepath.Abs(c.CAFile)
	}
	return c, c.doubt(e), err
}

// checkKept refuses a path that means something else for the next command: standard
// input, or a pipe of this one.
func checkKept(flag, path string) error {
	info, err := os.Stat(path)
	if path == "-" || err == nil && !info.Mode().IsRegular() {
		return console.Usagef("%s is no regular file; a context needs a file that later commands can read again", flag)
	}
	return nil
}

// doubt tries to read the files of the context.
func (c Context) doubt(e *console.Env) error {
	text, err := Source{Token: Part{Value: c.TokenFile}, shared: c.TokenFileShared}.readTokenFile(e)
	if _, wrong := secret.Parse(text); err == nil && wrong != nil {
		err = errors.New(c.TokenFile + " does not contain a token")
	}
	_, badRoots := rootsIn(c.CAFile)
	return errors.Join(err, badRoots)
}
