package bolt

import (
	"net/netip"

	"apitoken/events"
)

// readView and readUse read a stored view and use in the form in which cbor.Marshal
// writes them. They return false for any other form, which the library must then
// read. They exist because every authorization reads one view and one use. For a view
// with a scope and a range the library needs three times as long, and 11
// allocations instead of 5; in all that is about 3 µs of a guarded request.

// readView reads the members of a viewItem, in the order of their numbers.
func readView(b []byte) (i viewItem, ok bool) {
	r := reader{rest: string(b)} // one copy for all texts: b ends with its transaction
	for range r.head(mapHead) {
		switch r.member() {
		case 1:
			i.Owner = r.text()
		case 2:
			i.Creator = r.text()
		case 3:
			i.Name = r.text()
		case 4:
			i.Description = r.text()
		case 5:
			i.Kid = r.text()
		case 6:
			i.MAC = r.bytes()
		case 7:
			i.CreatedAt = r.instant()
		case 8:
			i.ExpiresAt = r.instant()
		case 9:
			i.Disabled = r.truth()
		case 10:
			i.Scopes = r.texts()
		case 11:
			i.SourceIPs = r.prefixes()
		case 12:
			i.First = r.head(numberHead)
		case 13:
			i.Seq = r.head(numberHead)
		case 14:
			i.Ended = events.Ending(r.text())
		case 15:
			i.EndedAt = r.instant()
		case 16:
			i.KeepUntil = r.instant()
		case 17:
			i.SealKid = r.text()
		case 18:
			i.Seal = r.bytes()
		case 19:
			i.Suspended = r.truth()
		case 20:
			i.OutgoingKid = r.text()
		case 21:
			i.Outgoing = r.bytes()
		case 22:
			i.OutgoingUntil = r.instant()
		case 23:
			i.Rotated = r.head(numberHead)
		case 24:
			i.Kind = r.text()
		case 25:
			i.Via = r.text()
		case 26:
			i.Permissions = r.texts()
		case 27:
			i.MakesUntil = r.instant()
		case 28:
			i.From = r.text()
		case 29:
			i.UI = r.truth()
		default:
			return viewItem{}, false
		}
	}
	return i, r.finished()
}

// readUse reads the members of a useItem.
func readUse(b []byte) (i useItem, ok bool) {
	r := reader{rest: string(b)}
	for range r.head(mapHead) {
		switch r.member() {
		case 1:
			i.At = r.instant()
		case 2:
			i.Address = r.text()
		default:
			return useItem{}, false
		}
	}
	return i, r.finished()
}

// The kinds of a CBOR item, the top three bits of its first byte (RFC 8949 section
// 3.1), and two whole items.
const (
	numberHead byte = 0 << 5
	bytesHead  byte = 2 << 5
	textHead   byte = 3 << 5
	listHead   byte = 4 << 5
	mapHead    byte = 5 << 5

	falseItem = 0xf4
	trueItem  = 0xf5
)

// reader cuts items from the beginning of a value. After something unexpected it has
// failed, its rest is empty, and its methods return zero values.
type reader struct {
	rest   string
	last   uint64 // the number of the last member
	failed bool
}

// finished reports whether the whole value was read.
func (r *reader) finished() bool { return !r.failed && r.rest == "" }

func (r *reader) fail() { r.rest, r.failed = "", true }

// cut returns the next n bytes.
func (r *reader) cut(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	cut := r.rest[:n]
	r.rest = r.rest[n:]
	return cut
}

// head returns the number in the head of an item of this kind: the number itself, or
// the length of the item.
func (r *reader) head(kind byte) uint64 {
	first := r.cut(1)
	if first == "" || first[0]&^0x1f != kind {
		r.fail()
		return 0
	}
	n := uint64(first[0] & 0x1f)
	if n < 24 {
		return n
	}
	if n > 27 { // reserved, or an indefinite length
		r.fail()
		return 0
	}
	size := uint64(1) << (n - 24)
	n = 0
	for _, b := range []byte(r.cut(size)) {
		n = n<<8 | uint64(b)
	}
	return n
}

// member returns the number of the next member. The numbers grow, so no member comes
// twice; 0 is no member.
func (r *reader) member() uint64 {
	n := r.head(numberHead)
	if n <= r.last {
		r.fail()
		return 0
	}
	r.last = n
	return n
}

func (r *reader) text() string { return r.cut(r.head(textHead)) }

func (r *reader) bytes() []byte { return []byte(r.cut(r.head(bytesHead))) }

func (r *reader) instant() instant {
	n := r.head(numberHead)
	if n > 1<<63-1 {
		r.fail()
		return 0
	}
	return instant(n)
}

func (r *reader) truth() bool {
	item := r.cut(1)
	if item == "" || item[0] != trueItem && item[0] != falseItem {
		r.fail()
		return false
	}
	return item[0] == trueItem
}

// length returns the number of items of a list. Each item has a byte at least, so a
// wrong length makes no large list.
func (r *reader) length() uint64 {
	n := r.head(listHead)
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return n
}

func (r *reader) texts() []string {
	all := make([]string, r.length())
	for i := range all {
		all[i] = r.text()
	}
	return all
}

func (r *reader) prefixes() []netip.Prefix {
	all := make([]netip.Prefix, r.length())
	for i := range all {
		if all[i].UnmarshalBinary([]byte(r.cut(r.head(bytesHead)))) != nil {
			r.fail()
		}
	}
	return all
}
