package oci

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
)

// printSkeleton prints the JSON of a command, which --from-json reads.
func (c *command) printSkeleton() error {
	keys := map[string]string{}
	for _, o := range c.options {
		if !o.isSwitch {
			keys[camelCase(o.name)] = "string"
		}
	}
	return console.PrintJSON(c.env.Out, keys)
}

// readJSON sets the options that the file of --from-json has and the command line
// does not have. null is no value.
func (c *command) readJSON() error {
	if !c.given("from-json") {
		return nil
	}
	members, err := readObject(c.fromJSON)
	if err != nil {
		return err
	}
	options := map[string]option{}
	for _, o := range c.options {
		options[camelCase(o.name)] = o
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		o, known := options[key]
		if !known {
			return failf("Parameter 'from-json' has an unknown key %q; allowed: %s", key, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		}
		if err := c.setFromJSON(key, o, members[key]); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) setFromJSON(key string, o option, value any) error {
	if value == nil || c.given(o.name) {
		return nil
	}
	switch v := value.(type) {
	case string:
		if !o.isSwitch {
			return c.cobra.Flags().Set(o.name, v)
		}
	case bool:
		if o.isSwitch {
			return c.cobra.Flags().Set(o.name, strconv.FormatBool(v))
		}
	}
	if o.isSwitch {
		return failf("Parameter 'from-json': %s must be true or false", key)
	}
	return failf("Parameter 'from-json': %s must be a string", key)
}

// readObject reads the JSON object in the file that a text file://PATH names. The
// errors do not quote the file.
func readObject(given string) (map[string]any, error) {
	path, isFile := strings.CutPrefix(given, "file://")
	if !isFile || path == "" {
		return nil, failf("Parameter 'from-json' must name a file with a JSON object, as file://PATH")
	}
	text, err := datadir.ReadPublicOrPipe(expand(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf("The specified file '%s' did not exist  (Resolved to path: '%s')", given, expand(path))
	case err != nil:
		return nil, failf("Parameter 'from-json': the file cannot be read: %s", err)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, failf("Parameter 'from-json' must be in JSON format.")
	}
	members, isObject := value.(map[string]any)
	if !isObject {
		return nil, failf("We expect a JSON object to be provided to --from-json")
	}
	return members, nil
}

// expand replaces a ~ at the beginning of a path by the user's folder. The shell does
// not do this inside file://~/PATH.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}
