package item

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"apitoken/events"
	"apitoken/events/instant"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Time returns a time as text, for attributes and conditions. The order of these
// texts is the order of times.
func Time(t time.Time) string { return instant.Format(t) }

// ParseTime reads the form that Time writes, and no other.
func ParseTime(text string) (time.Time, error) { return instant.ParseFormatted(text) }

// Text returns an attribute value for a condition or a key.
func Text(s string) types.AttributeValue { return text(s) }

// TextOf returns the text in an attribute, "" if the attribute is absent or of
// another type.
func TextOf(it Item, attr string) string {
	if v, ok := it[attr].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// Number returns an attribute value for a condition.
func Number(n uint64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatUint(n, 10)}
}

func integer(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}

func bytes(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// The put functions skip zero values, so that an item has no empty attributes.

func putText(it Item, name, v string) {
	if v != "" {
		it[name] = text(v)
	}
}

func putTime(it Item, name string, t time.Time) {
	if !t.IsZero() {
		it[name] = text(Time(t))
	}
}

func putBytes(it Item, name string, b []byte) {
	if len(b) > 0 {
		it[name] = bytes(b)
	}
}

func putBool(it Item, name string, v bool) {
	if v {
		it[name] = &types.AttributeValueMemberBOOL{Value: true}
	}
}

func putTexts(it Item, name string, vs []string) {
	if len(vs) == 0 {
		return
	}
	l := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(vs))}
	for i, v := range vs {
		l.Value[i] = text(v)
	}
	it[name] = l
}

// putTTL sets the time after which DynamoDB may delete the item, in epoch
// seconds. It rounds up, because the item must not be deleted too early. A zero
// time means never.
func putTTL(it Item, t time.Time) {
	if t.IsZero() {
		return
	}
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	it[TTL] = &types.AttributeValueMemberN{Value: strconv.FormatInt(s, 10)}
}

var errMissing = errors.New("the attribute is missing")

// reader decodes an item. err is about the first attribute of a wrong form, and
// wraps events.ErrDamaged. An
// absent attribute is a zero value, and an error only for a must method.
type reader struct {
	it  Item
	err error
}

// value returns the attribute as a T, and nil if it is absent or of another type.
func value[T any](r *reader, attr string) *T {
	v, there := r.it[attr]
	if !there {
		return nil
	}
	t, ok := any(v).(*T)
	if !ok {
		r.fail(attr, fmt.Errorf("got type %T, want %T", v, t))
	}
	return t
}

func (r *reader) fail(attr string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("reading %s of %s: %w: %w", attr, Name(r.it), events.ErrDamaged, err)
	}
}

func (r *reader) text(attr string) string {
	v := value[types.AttributeValueMemberS](r, attr)
	if v == nil {
		return ""
	}
	return v.Value
}

func (r *reader) mustText(attr string) string {
	v := r.text(attr)
	if v == "" {
		r.fail(attr, errMissing)
	}
	return v
}

func (r *reader) bytes(attr string) []byte {
	v := value[types.AttributeValueMemberB](r, attr)
	if v == nil {
		return nil
	}
	return v.Value
}

func (r *reader) bool(attr string) bool {
	v := value[types.AttributeValueMemberBOOL](r, attr)
	return v != nil && v.Value
}

func (r *reader) number(attr string) uint64 {
	v := value[types.AttributeValueMemberN](r, attr)
	if v == nil {
		return 0
	}
	n, err := strconv.ParseUint(v.Value, 10, 64)
	if err != nil {
		r.fail(attr, err)
	}
	return n
}

func (r *reader) mustNumber(attr string) uint64 {
	n := r.number(attr)
	if n == 0 {
		r.fail(attr, errMissing)
	}
	return n
}

func (r *reader) time(attr string) time.Time {
	s := r.text(attr)
	if s == "" {
		return time.Time{}
	}
	t, err := ParseTime(s)
	if err != nil {
		r.fail(attr, err)
	}
	return t
}

func (r *reader) mustTime(attr string) time.Time {
	t := r.time(attr)
	if t.IsZero() {
		r.fail(attr, errMissing)
	}
	return t
}

func (r *reader) hash(attr string) (h events.Hash) {
	b := r.bytes(attr)
	if len(b) != len(h) {
		r.fail(attr, fmt.Errorf("got %d bytes, want the %d of a hash", len(b), len(h)))
	}
	copy(h[:], b)
	return h
}

func (r *reader) texts(attr string) []string {
	v := value[types.AttributeValueMemberL](r, attr)
	if v == nil {
		return nil
	}
	ts := make([]string, len(v.Value))
	for i, e := range v.Value {
		s, ok := e.(*types.AttributeValueMemberS)
		if !ok {
			r.fail(attr, fmt.Errorf("got type %T in the list, want %T", e, s))
			return nil
		}
		ts[i] = s.Value
	}
	return ts
}
