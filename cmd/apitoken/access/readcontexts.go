package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
)

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
