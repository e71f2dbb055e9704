package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
)

// lists are the parameters whose values are lists. Many clients repeat such a
// parameter, and others join its values by commas.
var lists = []string{"state"}

// parseQuery reads the parameters of a request. It joins the values of a list by
// commas. It refuses a parameter that is unknown or empty, and one that is given
// more than once, unless it is a list. If it ignored an unknown parameter, a
// misspelled filter would select everything, and DELETE with dry_run would
// delete.
func parseQuery(raw string, known []string) (url.Values, error) {
	if raw == "" {
		return url.Values{}, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, newProblem("invalid_parameter", "The query is not well-formed; it must be NAME=VALUE pairs, percent-encoded and joined by &.")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		if slices.Contains(lists, name) {
			given = []string{strings.Join(given, ",")}
			values[name] = given
		}
		switch {
		case !slices.Contains(known, name):
			return nil, fieldProblem("invalid_parameter", printable(name), "is unknown; "+allowed(known))
		case len(given) > 1:
			return nil, fieldProblem("invalid_parameter", name, "is given more than once; once is allowed")
		case given[0] == "":
			return nil, fieldProblem("invalid_parameter", name, "is empty; give a value or leave it out")
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

// pageLimit returns the parameter limit, cut to issuer.MaxLimit. It returns 0,
// the issuer's default, if the query has no limit.
func pageLimit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return 0, nil
	}
	text := q.Get("limit")
	digits := strings.TrimLeft(text, "0123456789") == ""
	n, err := strconv.Atoi(text)
	switch {
	case digits && (err != nil || n > issuer.MaxLimit): // err: the number is too large for an int
		return issuer.MaxLimit, nil
	case !digits || n <= 0:
		return 0, fieldProblem("invalid_parameter", "limit", "must be a whole number, 1 or more")
	}
	return n, nil
}

// states reads the parameter state: token states, separated by commas.
func states(q url.Values) ([]events.TokenState, error) {
	if !q.Has("state") {
		return nil, nil
	}
	var all []events.TokenState
	for word := range strings.SplitSeq(q.Get("state"), ",") {
		switch s := events.TokenState(word); s {
		case events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked:
			all = append(all, s)
		default:
			return nil, fieldProblem("invalid_parameter", "state", "must be one or more of active, disabled, expired, revoked, separated by commas")
		}
	}
	return all, nil
}

// owners reads the parameter user. It returns the owner keys that the parameter
// may mean, or none if the query has no user.
func owners(q url.Values) ([]string, error) {
	if !q.Has("user") {
		return nil, nil
	}
	user := q.Get("user")
	if strings.Contains(user, "?limit=") { // Qumulo's Python client writes ?user=NAME?limit=N
		return nil, fieldProblem("invalid_parameter", "user", "has a second question mark; join parameters by &")
	}
	named, err := name.OwnersNamed(user)
	if err != nil {
		return nil, fmt.Errorf("reading the parameter user: %w", err)
	}
	return named, nil
}

// next returns the paging of a page that is not the last: the cursor, and the link
// to the page after the cursor, with the same path and the same filters.
func (x *exchange) next(cursor string) Paging {
	x.query.Set("after", cursor)
	return Paging{Next: x.path() + "?" + x.query.Encode(), After: cursor}
}
