package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
)

// A cursor is a version byte, the digest of the list, microseconds since 1970,
// and a token id or nothing. The position is a place in the order of the list, so
// it stays right when tokens are created and end. It grants no access: with an
// invented cursor a client only begins at another place of the same list. It
// names a token of the list, so it tells the caller nothing about other tokens.
const (
	cursorV      = 2
	digestSize   = 8
	cursorHead   = 1 + digestSize + 8
	cursorIDSize = 8
)

var (
	cursorText = base64.RawURLEncoding.Strict()
	errCursor  = errors.New("not a cursor")
)

// listDigest names a list: the caller and the filters. A page size is no filter,
// so a client may change it between two pages.
type listDigest [digestSize]byte

func digestOf(caller string, q issuer.ListQuery) (d listDigest) {
	h := sha256.New()
	part := func(texts []string) {
		texts = slices.Compact(slices.Sorted(slices.Values(texts)))
		h.Write(binary.AppendUvarint(nil, uint64(len(texts))))
		for _, s := range texts {
			h.Write(binary.AppendUvarint(nil, uint64(len(s))))
			h.Write([]byte(s))
		}
	}
	part([]string{caller})
	part(q.Owners)
	var states []string
	for _, s := range q.States {
		states = append(states, string(s))
	}
	part(states)
	if q.Kind != "" { // a list of tokens keeps the digest that it had before there were other lists
		part([]string{"kind", q.Kind})
	}
	if more := filterTexts(q.Filter); len(more) > 0 { // a list without them keeps the digest that it had before there were such filters
		part(more)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// cursor is a cursor as it is read.
type cursor struct {
	list listDigest
	at   events.Position
}

// cursorOf returns the cursor of a position in a list. The position may be
// without an id: the start of a month. If something other than this service wrote
// the id, the cursor begins a microsecond later, because every cursor must be
// accepted and must move.
func cursorOf(list listDigest, p events.Position) string {
	if p.ID != "" && !secret.IsID(p.ID) {
		p = events.Position{At: p.At.Add(time.Microsecond)}
	}
	b := make([]byte, 0, cursorHead+cursorIDSize)
	b = append(b, cursorV)
	b = append(b, list[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.UnixMicro()))
	b = append(b, p.ID...)
	return cursorText.EncodeToString(b)
}

// parseCursor reads a text that cursorOf returned, and refuses any other text. A
// text with line ends is refused by itself, because the decoder skips them. A time outside of the years 0 to 9999 is refused: stores cannot write
// such a time in the order of time.
func parseCursor(text string) (c cursor, err error) {
	b, err := cursorText.DecodeString(text)
	if err != nil || len(b) < cursorHead || b[0] != cursorV {
		return cursor{}, errCursor
	}
	copy(c.list[:], b[1:])
	micros := int64(binary.BigEndian.Uint64(b[1+digestSize:]))
	c.at = events.Position{At: time.UnixMicro(micros).UTC(), ID: string(b[cursorHead:])}
	if y := c.at.At.Year(); y < 0 || y > 9999 || strings.ContainsAny(text, "\r\n") || c.at.ID != "" && !secret.IsID(c.at.ID) {
		return cursor{}, errCursor
	}
	return c, nil
}
