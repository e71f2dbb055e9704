package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
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

// ReadContexts returns the stored contexts; there are none if there is no file. It
// refuses a file that is damaged, has unknown members, or is open to other users.
func ReadContexts(e *console.Env) (Contexts, error) {
	dir, err := contextFolder(e)
	if err != nil || dir == "" {
		return Contexts{}, err
	}
	if err := datadir.CheckPrivateFolder(dir); errors.Is(err, fs.ErrNotExist) {
		return Contexts{}, nil
	} else if err != nil {
		return Contexts{}, fmt.Errorf("reading the contexts: %w", err)
	}
	return readContexts(filepath.Join(dir, contextFile))
}

const (
	contextFile = "contexts.json"
	lockFile    = "contexts.lock"
)

func readContexts(path string) (c Contexts, err error) {
	text, err := datadir.ReadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Contexts{}, nil
	}
	if err != nil {
		return Contexts{}, fmt.Errorf("reading the contexts: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err = d.Decode(&c); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("the JSON text does not end after its first value")
		}
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return Contexts{}, fmt.Errorf("%s is damaged: %w; correct the file, or remove it and add the contexts again", path, err)
	}
	return c, nil
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

// contextFolder is the folder of the contexts; "" if neither variable is set.
func contextFolder(e *console.Env) (string, error) {
	dir, err := e.EnvPath("XDG_CONFIG_HOME")
	if err != nil {
		return "", err
	}
	if dir == "" {
		home, err := e.EnvPath("HOME")
		if home == "" {
			return "", err
		}
		dir = filepath.Join(home, ".config")
	}
	if !filepath.IsAbs(dir) {
		return "", console.Usagef("the folder of the contexts is not absolute; set XDG_CONFIG_HOME, or HOME, to an absolute path")
	}
	return filepath.Join(dir, "apitoken"), nil
}

// ChangeContexts reads the contexts, changes them and stores them. It replaces the
// file in one step, and waits for other processes that change the contexts, so no
// change is lost. If change returns an error, nothing changes.
func ChangeContexts(ctx context.Context, e *console.Env, change func(*Contexts) error) error {
	dir, err := contextFolder(e)
	if err != nil {
		return err
	}
	if dir == "" {
		return console.Usagef("there is no folder for the contexts: set HOME or XDG_CONFIG_HOME")
	}
	if err := datadir.MakePrivateFolder(dir); err != nil {
		return fmt.Errorf("preparing to store the contexts: %w", err)
	}
	lock, err := waitFor(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	defer lock.Release()
	path := filepath.Join(dir, contextFile)
	c, err := readContexts(path)
	if err != nil {
		return err
	}
	if c.Contexts == nil {
		c.Contexts = map[string]Context{}
	}
	if err := change(&c); err != nil {
		return err
	}
	return writeContexts(path, c)
}

// writeContexts replaces the file. If its name is a symbolic link, it replaces the
// target, which people keep in a folder under version control.
func writeContexts(path string, c Contexts) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the contexts: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return datadir.WritePrivate(path, string(text))
}

const (
	lockPause = 20 * time.Millisecond
	lockWait  = 10 * time.Second // more than many changes need
)

// waitFor holds the file at path, after other processes that hold it.
func waitFor(ctx context.Context, path string) (*datadir.HeldFile, error) {
	for end := time.Now().Add(lockWait); ; {
		lock, _, err := datadir.Hold(path)
		if !errors.Is(err, datadir.ErrHeld) {
			return lock, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("another process is changing the contexts: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}
