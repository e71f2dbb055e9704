package console

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// IsTerminal reports whether a writer is a terminal. Only then may a command write
// for the eye of a person: fit a table, or show colours and relative times.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// defaultWidth is the width of a terminal that does not know its own.
const defaultWidth = 80

// width is the number of columns of the terminal w. A terminal without a size
// leaves the answer to COLUMNS.
func (e *Env) width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	if columns, err := strconv.Atoi(e.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns
	}
	return defaultWidth
}

// takesEscapes reports whether w is a terminal that understands escape sequences. An
// empty TERM says nothing about them, so it counts as dumb.
func (e *Env) takesEscapes(w io.Writer) bool {
	if !IsTerminal(w) {
		return false
	}
	kind := e.Getenv("TERM")
	return kind != "" && kind != "dumb"
}

// colours reports whether w shows colours. A user switches them off with NO_COLOR
// (no-color.org).
func (e *Env) colours(w io.Writer) bool { return e.takesEscapes(w) && e.Getenv("NO_COLOR") == "" }
