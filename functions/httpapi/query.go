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
	"apitoken/events/token"
)

// parseQuery reads the parameters of a request: only the known ones, each once
// and not empty. A filter that is not understood must never become no filter,
// and a DELETE that is told to only try must not delete.
func parseQuery(raw string, known []string) (url.Values, error) {
	if raw == "" {
		return url.Values{}, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, newProblem("invalid_parameter", "The query is not well-formed.")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case !slices.Contains(known, name):
			return nil, fault("invalid_parameter", printable(name), "is not known; "+knownAre(known))
		case len(given) > 1:
			return nil, fault("invalid_parameter", name, "is given more than once")
		case given[0] == "":
			return nil, fault("invalid_parameter", name, "is empty; leave it out instead")
		}
	}
	return values, nil
}

func knownAre(names []string) string {
	if len(names) == 0 {
		return "there are none here"
	}
	return "known are " + strings.Join(names, ", ")
}

// pageLimit is the number of entries asked for, cut to what a page may have; 0
// for the issuer's own if none is asked for.
func pageLimit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return 0, nil
	}
	text := q.Get("limit")
	digits := strings.TrimLeft(text, "0123456789") == ""
	n, err := strconv.Atoi(text)
	switch {
	case digits && (err != nil || n > issuer.MaxLimit): // too large for an int is too large
		return issuer.MaxLimit, nil
	case !digits || n <= 0:
		return 0, fault("invalid_parameter", "limit", "must be a whole number from 1 on")
	}
	return n, nil
}

// states reads a comma-separated list of token states.
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
			return nil, fault("invalid_parameter", "state", "must be a comma-separated list of active, disabled, expired and revoked")
		}
	}
	return all, nil
}

// owners reads the user whose tokens are asked for; none: everybody.
func owners(q url.Values) ([]string, error) {
	if !q.Has("user") {
		return nil, nil
	}
	user := q.Get("user")
	if strings.Contains(user, "?limit=") { // Qumulo's Python client writes ?user=NAME?limit=N
		return nil, fault("invalid_parameter", "user", "has a second question mark; parameters are joined by &")
	}
	named, err := token.OwnersNamed(user)
	if err != nil {
		return nil, fmt.Errorf("reading the parameter user: %w", err)
	}
	return named, nil
}

// next is the link to the page after the cursor: the same path and filters.
func (x *exchange) next(cursor string) Paging {
	x.query.Set("after", cursor)
	return Paging{Next: x.path() + "?" + x.query.Encode()}
}
