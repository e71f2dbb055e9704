package access

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"apitoken/cmd/apitoken/console"
)

// Contexts are the contexts of a user, by name, as they are stored.
type Contexts struct {
	Current  string             `json:"current"` // a name; "": none
	Contexts map[string]Context `json:"contexts"`
}

// Context is the address of a service with the files that belong to it. The paths are
// absolute: a relative one would mean another file in each folder. The token itself is
// not stored.
type Context struct {
	URL             string `json:"url"`
	TokenFile       string `json:"token_file"`
	CAFile          string `json:"ca_file,omitempty"`
	InsecureHTTP    bool   `json:"insecure_http,omitempty"`     // the address may be plain http on another machine
	TokenFileShared bool   `json:"token_file_shared,omitempty"` // as --token-file-shared
}

// Names are the names of the contexts, sorted.
func (c Contexts) Names() []string { return slices.Sorted(maps.Keys(c.Contexts)) }

// nameForm describes the names of contexts. No token has this form: a token has a dot.
const nameForm = "1 to 32 lower-case letters, digits and hyphens, a letter or a digit first"

var contextName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func validName(name string) bool { return contextName.MatchString(name) }

// CheckName refuses a text that is not the name of a context. The error does not quote
// the text, which may be a token.
func CheckName(name string) error {
	if !validName(name) {
		return console.Usagef("the name of the context is invalid; allowed: %s", nameForm)
	}
	return nil
}

// check refuses contexts that ChangeContexts does not write.
func (c Contexts) check() error {
	for _, name := range c.Names() {
		if !validName(name) {
			return fmt.Errorf("a name is invalid; allowed: %s", nameForm)
		}
		if err := c.Contexts[name].check(name); err != nil {
			return err
		}
	}
	if _, known := c.Contexts[c.Current]; c.Current != "" && !known {
		return errors.New("the member current names no context of the file")
	}
	return nil
}

func (c Context) check(name string) error {
	if err := checkURL(Part{c.URL, "the context " + name}, c.InsecureHTTP); err != nil {
		return err
	}
	if !filepath.IsAbs(c.TokenFile) || c.CAFile != "" && !filepath.IsAbs(c.CAFile) {
		return fmt.Errorf("the context %s has a path that is not absolute", name)
	}
	return nil
}
