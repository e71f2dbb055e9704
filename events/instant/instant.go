// Package instant is the one place where the service reads and writes instants:
// in HTTP bodies, flags, events, stored items and the authorizer's context.
//
// The service counts in microseconds. It reads exactly the grammar of RFC 3339
// section 5.6, and cuts smaller parts of a second off. It writes every instant in
// UTC with six digits of a second, so that the order of texts is the order of
// instants, and clients that accept at most six digits can read them.
package instant

import (
	"encoding/json"
	"fmt"
	"time"
)

// layout is the form that Format writes.
const layout = "2006-01-02T15:04:05.000000Z"

// lastYear is the last year that RFC 3339 can write, in UTC.
const lastYear = 9999

// Cut returns the instant in UTC, in whole microseconds, without a monotonic
// clock reading. A smaller part of a second is dropped.
func Cut(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Format writes the instant like 2027-01-31T12:00:00.000000Z. All texts have the
// same length if the years have four digits.
func Format(t time.Time) string { return t.UTC().Format(layout) }

// ParseFormatted reads a text that Format wrote, and refuses every other text.
func ParseFormatted(text string) (time.Time, error) {
	t, err := Parse(text)
	if err == nil && Format(t) != text {
		err = fmt.Errorf("the instant does not have the form %s", layout)
	}
	return t, err
}

// Time is an instant in JSON, in the form that Format writes.
type Time struct{ time.Time }

// Of returns the instant as a Time, cut as Cut does it.
func Of(t time.Time) Time { return Time{Cut(t)} }

// MarshalJSON returns an error for a year that RFC 3339 cannot write.
func (t Time) MarshalJSON() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > lastYear {
		return nil, fmt.Errorf("writing an instant: the year is %d (UTC); allowed: 0 to %d", y, lastYear)
	}
	b := make([]byte, 0, len(layout)+2)
	b = t.UTC().AppendFormat(append(b, '"'), layout)
	return append(b, '"'), nil
}

// UnmarshalJSON reads a text as Parse does.
func (t *Time) UnmarshalJSON(b []byte) (err error) {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("reading an instant: %w", err)
	}
	if t.Time, err = Parse(text); err != nil {
		return fmt.Errorf("reading an instant: %w", err)
	}
	return nil
}
