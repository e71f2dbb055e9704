package httpapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/functions/httpapi/machine"
)

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
		return 0, machine.FieldProblem("invalid_parameter", "limit", "must be a whole number, 1 or more")
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
			return nil, machine.FieldProblem("invalid_parameter", "state", "must be one or more of active, disabled, expired, revoked, separated by commas")
		}
	}
	return all, nil
}

// kindOf reads the parameter kind, as events.Query has it.
func kindOf(q url.Values) (string, error) {
	switch kind := q.Get("kind"); {
	case !q.Has("kind"), kind == guard.KindToken:
		return "", nil
	case kind == guard.KindSession:
		return events.KindSession, nil
	}
	return "", machine.FieldProblem("invalid_parameter", "kind", "must be token or session")
}

// owners reads the parameter user. It returns the owner keys that the parameter
// may mean, or none if the query has no user.
func owners(q url.Values) ([]string, error) {
	if !q.Has("user") {
		return nil, nil
	}
	user := q.Get("user")
	if strings.Contains(user, "?limit=") { // Qumulo's Python client writes ?user=NAME?limit=N
		return nil, machine.FieldProblem("invalid_parameter", "user", "has a second question mark; join parameters by &")
	}
	named, err := name.OwnersNamed(user)
	if err != nil {
		return nil, fmt.Errorf("reading the parameter user: %w", err)
	}
	return named, nil
}

// next returns the paging of a page that is not the last: the cursor, and the link
// to the page after the cursor, with the same path and the same filters.
func (x exchange) next(cursor string) Paging {
	x.Query.Set("after", cursor)
	return Paging{Next: x.Path() + "?" + x.Query.Encode(), After: cursor}
}
