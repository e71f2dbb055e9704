package httpapi

import (
	"time"

	"apitoken/events"
)

// Unexported names that the tests of package httpapi_test need.

// StatusOf returns the HTTP status of a code.
func StatusOf(code string) int { return kinds[code].status }

// CursorOf returns the cursor of a position.
func CursorOf(p events.Position) string { return cursorOf(p) }

// ParseCursor reads a cursor.
func ParseCursor(text string) (events.Position, error) { return parseCursor(text) }

// MaxBody is the maximum size of a request body in bytes.
const MaxBody = maxBody

// SetRetryWait changes the wait between two tries of a request.
func SetRetryWait(c *Client, d time.Duration) { c.retryWait = d }

// ParseKey reads the value of Idempotency-Key. problem is "" if the value is allowed.
func ParseKey(text string) (key, problem string) { return parseKey(text) }
