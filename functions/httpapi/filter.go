package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// filter reads the parameters that select tokens of the pages of a list.
func filter(q url.Values) (f issuer.Filter, err error) {
	if f.Creators, err = creators(q); err != nil {
		return f, err
	}
	if f.ExpiresBefore, err = moment(q, "expires_before"); err != nil {
		return f, err
	}
	if f.UnusedSince, err = moment(q, "unused_since"); err != nil {
		return f, err
	}
	f.NeverExpires, err = optionalBool(q, "never_expires")
	return f, err
}

// creators reads the parameter creator: a user as in the parameter user, or the
// operator, who has no tokens and makes some.
func creators(q url.Values) ([]string, error) {
	if !q.Has("creator") {
		return nil, nil
	}
	if q.Get("creator") == token.Operator {
		return []string{token.Operator}, nil
	}
	named, err := name.OwnersNamed(q.Get("creator"))
	if r, ok := errors.AsType[*events.Refusal](err); ok {
		about := *r
		about.Field = "creator"
		return nil, fmt.Errorf("reading the parameter creator: %w", &about)
	}
	return named, err
}

// moment reads an instant. It returns nil if the query does not have the parameter.
func moment(q url.Values, parameter string) (*time.Time, error) {
	if !q.Has(parameter) {
		return nil, nil
	}
	text := q.Get(parameter)
	at, err := instant.Parse(text)
	switch {
	case err != nil && strings.Contains(text, " "):
		return nil, machine.FieldProblem("invalid_parameter", parameter, "is not an instant: it has a blank; write the + of an offset as %2B")
	case err != nil:
		return nil, machine.FieldProblem("invalid_parameter", parameter, "is not an instant of RFC 3339: "+err.Error())
	}
	return &at, nil
}

// optionalBool reads true or false. It returns nil if the query does not have the
// parameter.
func optionalBool(q url.Values, parameter string) (*bool, error) {
	switch text := q.Get(parameter); {
	case !q.Has(parameter):
		return nil, nil
	case text == "true", text == "false":
		return new(text == "true"), nil
	}
	return nil, machine.FieldProblem("invalid_parameter", parameter, "must be true or false")
}

// filterTexts returns one text for each member of the filter, as a cursor is bound to
// them. Two spellings of one instant are the same filter.
func filterTexts(f issuer.Filter) (texts []string) {
	for _, c := range f.Creators {
		texts = append(texts, "creator="+c)
	}
	if f.ExpiresBefore != nil {
		texts = append(texts, "expires_before="+instant.Format(*f.ExpiresBefore))
	}
	if f.UnusedSince != nil {
		texts = append(texts, "unused_since="+instant.Format(*f.UnusedSince))
	}
	if f.NeverExpires != nil {
		texts = append(texts, "never_expires="+strconv.FormatBool(*f.NeverExpires))
	}
	return texts
}
