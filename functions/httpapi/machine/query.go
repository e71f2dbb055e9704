package machine

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// parseQuery reads the parameters of a request. Many clients repeat a parameter that
// is a list, and others join its values by commas: it joins them by commas. It refuses a parameter that is unknown or empty, and one that is given
// more than once, unless it is a list. If it ignored an unknown parameter, a
// misspelled filter would select everything, and DELETE with dry_run would
// delete.
func parseQuery(raw string, known, lists []string) (url.Values, error) {
	if raw == "" {
		return url.Values{}, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, NewProblem("invalid_parameter", "The query is not well-formed; it must be NAME=VALUE pairs, percent-encoded and joined by &.")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		if slices.Contains(lists, name) {
			given = []string{strings.Join(given, ",")}
			values[name] = given
		}
		switch {
		case !slices.Contains(known, name):
			return nil, FieldProblem("invalid_parameter", printable(name), "is unknown; "+allowed(known))
		case len(given) > 1:
			return nil, FieldProblem("invalid_parameter", name, "is given more than once; once is allowed")
		case given[0] == "":
			return nil, FieldProblem("invalid_parameter", name, "is empty; give a value or leave it out")
		}
	}
	return values, nil
}

// allowed lists the allowed names for a problem's detail.
func allowed(names []string) string {
	if len(names) == 0 {
		return "allowed: none"
	}
	return "allowed: " + strings.Join(names, ", ")
}
