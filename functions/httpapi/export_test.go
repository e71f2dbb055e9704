package httpapi

import (
	"net/http"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi/machine"
)

// Unexported names that the tests of package httpapi_test need.

// ListDigest names a list.
type ListDigest = listDigest

// DigestOf returns the digest of the caller's list.
func DigestOf(caller string, q issuer.ListQuery) ListDigest { return digestOf(caller, q) }

// CursorOf returns the cursor of a position in a list.
func CursorOf(list ListDigest, p events.Position) string { return cursorOf(list, p) }

// ParseCursor reads a cursor.
func ParseCursor(text string) (ListDigest, events.Position, error) {
	c, err := parseCursor(text)
	return c.list, c.at, err
}

// SetRetryWait changes the wait between two tries of a request.
func SetRetryWait(c *Client, d time.Duration) { c.retryWait = d }

// ParseKey reads the value of Idempotency-Key. problem is "" if the value is allowed.
func ParseKey(text string) (key, problem string) { return parseKey(text) }

// IfMatch reads If-Match of a request that has these headers.
func IfMatch(values ...string) ([]uint64, error) {
	x := exchange{&machine.Exchange{Request: &http.Request{Header: http.Header{}}}}
	if values != nil {
		x.Request.Header[matchHeader] = values
	}
	return x.ifMatch()
}

// ETagOf returns the ETag of a token.
func ETagOf(sequence uint64) string { return etagOf(sequence) }
