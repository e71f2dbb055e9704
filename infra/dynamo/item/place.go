package item

import (
	"encoding/binary"
	"unicode/utf8"

	"apitoken/events"
)

// The largest keys of DynamoDB, in bytes ("Service, account, and table quotas" in
// the Amazon DynamoDB Developer Guide).
const (
	maxPK = 2048
	maxSK = 1024
)

// PlaceOf returns the place of an item in a walk through the table. It is the
// primary key, with the length of the partition key before it.
func PlaceOf(key Item) events.Place {
	pk := Partition(key)
	b := binary.AppendUvarint(nil, uint64(len(pk)))
	return events.Place(append(append(b, pk...), TextOf(key, SK)...))
}

// PlaceKey returns the primary key of an item from its place. For a text that
// PlaceOf does not return, and for a key that DynamoDB does not accept, the error
// is events.ErrPlace.
func PlaceKey(p events.Place) (Item, error) {
	b := []byte(p)
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, events.ErrPlace
	}
	pk, sk := string(b[size:size+int(n)]), string(b[size+int(n):])
	key := Key(pk, sk)
	if !isKeyText(pk, maxPK) || !isKeyText(sk, maxSK) || PlaceOf(key) != p {
		return nil, events.ErrPlace
	}
	return key, nil
}

func isKeyText(s string, most int) bool { return s != "" && len(s) <= most && utf8.ValidString(s) }
