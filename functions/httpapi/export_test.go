package httpapi

import "apitoken/events"

// What tests in httpapi_test see of the inside.

// StatusOf is the status of a code.
func StatusOf(code string) int { return kinds[code].status }

// CursorOf is cursorOf.
func CursorOf(p events.Position) string { return cursorOf(p) }

// ParseCursor is parseCursor.
func ParseCursor(text string) (events.Position, error) { return parseCursor(text) }

// MaxBody is maxBody.
const MaxBody = maxBody
