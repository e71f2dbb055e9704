package console

import (
	"encoding/csv"
	"io"
	"strings"
)

// Table is a table for a person or a program to read. A cell is a text, an int, a
// time.Time, a bool, a State, an Expiry, a Revoked, or nil. The empty text, the zero
// time and nil are no value.
type Table struct {
	Heads []string // of the columns; nil: a row is the name of a field and its value
	Rows  [][]any
}

// PrintTable prints the table in one of the Formats, but not in JSON.
//
//   - table is a box, as VAST's command line prints it. Instants are in UTC. No
//     value is None. On a terminal the box fits the terminal, and has relative times
//     and colours.
//   - text is a line for each row, without heads. Tabs separate the values, and
//     instants have the form of RFC 3339. No value is a hyphen.
//   - csv has the heads in its first line (RFC 4180). No value is empty. A text that a
//     spreadsheet would run as a formula begins with an apostrophe.
//
// Unprintable characters of a text are replaced.
func (e *Env) PrintTable(output string, t Table) error {
	switch output {
	case "text":
		return printText(e.Out, t)
	case "csv":
		return printCSV(e.Out, t, true)
	}
	box := plainBox(t)
	if IsTerminal(e.Out) {
		f := fitter{width: e.width(e.Out), now: e.clock(), colours: e.colours(e.Out)}
		box = f.box(t)
	}
	_, err := io.WriteString(e.Out, box)
	return err
}

func printText(w io.Writer, t Table) error {
	var lines strings.Builder
	for _, row := range t.Rows {
		lines.WriteString(strings.Join(textsOf(row, textForm), "\t") + "\n")
	}
	_, err := io.WriteString(w, lines.String())
	return err
}

// PrintPart prints the next rows of a long table as text or csv, as PrintTable
// prints a whole table. Only the first part has heads.
func PrintPart(w io.Writer, output string, t Table, first bool) error {
	if output == "csv" {
		return printCSV(w, t, first)
	}
	return printText(w, t)
}

func printCSV(w io.Writer, t Table, withHeads bool) error {
	c := csv.NewWriter(w)
	heads := t.Heads
	if heads == nil {
		heads = []string{"Field", "Value"}
	}
	if withHeads {
		c.Write(heads)
	}
	for _, row := range t.Rows {
		c.Write(textsOf(row, csvForm))
	}
	c.Flush()
	return c.Error()
}
