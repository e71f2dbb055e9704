package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/readme/readmetest"
)

// serveVariables are the variables of the flags of serve.
func serveVariables() (names []string) {
	newServe(&console.Env{}).Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			names = append(names, "APITOKEN_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
		}
	})
	return names
}

// TestVariablesOfServeAreNotThoseOfClients: a machine may set both.
func TestVariablesOfServeAreNotThoseOfClients(t *testing.T) {
	help := newServe(&console.Env{}).Long
	names := serveVariables()
	if len(names) < 8 {
		t.Errorf("got %q", names)
	}
	for _, name := range names {
		if slices.Contains(access.Variables, name) {
			t.Errorf("%s is also a variable of clients", name)
		}
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("serve --help has no line for %s", name)
		}
	}
	for _, name := range access.Variables {
		if !strings.Contains(help, name) {
			t.Errorf("serve --help does not say that %s is for clients", name)
		}
	}
}

// TestTheVariablesOfClientsAreComplete compares the list with the root's help, which
// says what each means.
func TestTheVariablesOfClientsAreComplete(t *testing.T) {
	known := append(slices.Clone(access.Variables), serveVariables()...)
	for _, name := range readmetest.Variables(t, "cmd") {
		if strings.HasPrefix(name, "APITOKEN_") && !slices.Contains(known, name) {
			t.Errorf("%s is read, but is in no list", name)
		}
	}
	help := newRoot(&console.Env{Getenv: func(string) string { return "" }}).Long
	for _, name := range access.Variables {
		if !strings.Contains(help, "\n  "+name) {
			t.Errorf("apitoken --help has no line for %s", name)
		}
	}
}
