package jsonlog

import (
	"log/slog"
	"strconv"
	"time"

	"apitoken/events/jsontext"
)

// appendRecord appends the line of a record as slog.JSONHandler writes it. It
// returns false if the record has a value that this package does not write: then
// slog.JSONHandler must write the record. This saves the guarded request about
// 1 µs: slog.JSONHandler looks at every text rune by rune and encodes numbers
// with a fraction by reflection.
func appendRecord(b []byte, r slog.Record) (_ []byte, ok bool) {
	if year := r.Time.Year(); r.Time.IsZero() || year < 0 || year > 9999 {
		return nil, false
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, r.Level.String()...)
	b = append(b, `","msg":`...)
	b, ok = jsontext.AppendPlain(b, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if ok {
			b, ok = appendAttr(b, a)
		}
		return ok
	})
	return append(b, "}\n"...), ok
}

// appendAttr appends a comma, the name and the value. A group without a name is
// its attributes, one after the other.
func appendAttr(b []byte, a slog.Attr) (_ []byte, ok bool) {
	if a.Value.Kind() == slog.KindGroup {
		return appendGroup(b, a)
	}
	if b, ok = jsontext.AppendPlain(append(b, ','), a.Key); !ok {
		return nil, false
	}
	b = append(b, ':')
	switch a.Value.Kind() {
	case slog.KindString:
		return jsontext.AppendPlain(b, a.Value.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, a.Value.Int64(), 10), true
	case slog.KindFloat64:
		return appendFloat(b, a.Value.Float64())
	}
	return nil, false
}

func appendGroup(b []byte, group slog.Attr) (_ []byte, ok bool) {
	if group.Key != "" {
		return nil, false
	}
	for _, a := range group.Value.Group() {
		if b, ok = appendAttr(b, a); !ok {
			return nil, false
		}
	}
	return b, true
}

// appendFloat appends a number that JSON does not write with an exponent.
func appendFloat(b []byte, f float64) (_ []byte, ok bool) {
	if f == 0 || 1e-6 <= f && f < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64), true
	}
	return nil, false
}
