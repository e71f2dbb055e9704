package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"apitoken/events"
	"apitoken/events/token"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// query reads the parameters of a request: only those named, each once and not
// empty. A filter that is not understood must never become no filter.
func (x *exchange) query(known ...string) (url.Values, error) {
	values, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, newProblem("invalid_parameter", "The query is not well-formed.")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case !slices.Contains(known, name):
			return nil, fault("invalid_parameter", printable(name), "is not known; known are "+strings.Join(known, ", "))
		case len(given) > 1:
			return nil, fault("invalid_parameter", name, "is given more than once")
		case given[0] == "":
			return nil, fault("invalid_parameter", name, "is empty; leave it out instead")
		}
	}
	return values, nil
}

// pageLimit is the number of entries asked for; above maxPage it is cut.
func pageLimit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return defaultPage, nil
	}
	text := q.Get("limit")
	digits := strings.TrimLeft(text, "0123456789") == ""
	n, err := strconv.Atoi(text)
	switch {
	case digits && (err != nil || n > maxPage): // too large for an int is too large
		return maxPage, nil
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
func (x *exchange) next(q url.Values, cursor string) Paging {
	q.Set("after", cursor)
	return Paging{Next: x.path() + "?" + q.Encode()}
}
