package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"apitoken/events"
	"apitoken/events/secret"
)

// A cursor is a Position: a version byte, nanoseconds since 1970, the token id.
// It is a place in the order of the list, so it stays right when tokens are
// created and end. It grants no access: with an invented cursor a client only
// begins at another place of the same list.
const (
	cursorV    = 1
	cursorHead = 1 + 8
	cursorSize = cursorHead + 8
)

var (
	cursorText = base64.RawURLEncoding.Strict()
	errCursor  = errors.New("not a cursor")
)

// cursorOf returns the cursor of a position. The position's ID is a token id.
func cursorOf(p events.Position) string {
	b := make([]byte, 0, cursorSize)
	b = append(b, cursorV)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.UnixNano()))
	b = append(b, p.ID...)
	return cursorText.EncodeToString(b)
}

// parseCursor reads a text that cursorOf returned, and refuses any other text. It
// checks the length of the text and the number of decoded bytes: the decoder
// skips line ends, so a text of the right length may contain too few bytes.
func parseCursor(text string) (events.Position, error) {
	b, err := cursorText.DecodeString(text)
	if err != nil || len(text) != cursorText.EncodedLen(cursorSize) || len(b) != cursorSize || b[0] != cursorV || !secret.IsID(string(b[cursorHead:])) {
		return events.Position{}, errCursor
	}
	at := int64(binary.BigEndian.Uint64(b[1:cursorHead]))
	return events.Position{At: time.Unix(0, at).UTC(), ID: string(b[cursorHead:])}, nil
}
