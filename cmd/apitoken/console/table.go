package console

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is a table for a person or a program to read. A cell is a text, an int, a
// time.Time, a bool, or nil. The empty text, the zero time and nil are no value.
type Table struct {
	Heads []string // of the columns; nil: a row is the name of a field and its value
	Rows  [][]any
}

// PrintTable prints the table in one of the Formats, but not in JSON.
//
//   - table is a box, as VAST's command line prints it. Instants are in UTC. No
//     value is None.
//   - text is a line for each row, without heads. Tabs separate the values, and
//     instants have the form of RFC 3339. No value is a hyphen.
//   - csv has the heads in its first line (RFC 4180). No value is empty.
//
// Unprintable characters of a text are replaced.
func (e *Env) PrintTable(output string, t Table) error {
	switch output {
	case "text":
		return printText(e.Out, t)
	case "csv":
		return printCSV(e.Out, t)
	}
	w := table.NewWriter()
	w.SetStyle(boxStyle())
	if t.Heads != nil {
		w.AppendHeader(cellsOf(t.Heads))
	}
	for _, row := range t.Rows {
		w.AppendRow(cellsOf(textsOf(row, boxForm)))
	}
	_, err := io.WriteString(e.Out, w.Render()+"\n")
	return err
}

// boxStyle is the library's style of ASCII lines, with the heads as they are given.
func boxStyle() table.Style {
	s := table.StyleDefault
	s.Format.Header = text.FormatDefault
	return s
}

func cellsOf(texts []string) (row table.Row) {
	for _, text := range texts {
		row = append(row, text)
	}
	return row
}

func printText(w io.Writer, t Table) error {
	var lines strings.Builder
	for _, row := range t.Rows {
		lines.WriteString(strings.Join(textsOf(row, textForm), "\t") + "\n")
	}
	_, err := io.WriteString(w, lines.String())
	return err
}

func printCSV(w io.Writer, t Table) error {
	c := csv.NewWriter(w)
	heads := t.Heads
	if heads == nil {
		heads = []string{"Field", "Value"}
	}
	c.Write(heads)
	for _, row := range t.Rows {
		c.Write(textsOf(row, csvForm))
	}
	c.Flush()
	return c.Error()
}

// form is how one of the formats writes values that are not texts.
type form struct {
	none, layout string
	bools        [2]string
}

var (
	boxForm  = form{none: "None", layout: time.DateTime, bools: [2]string{"False", "True"}}
	textForm = form{none: "-", layout: time.RFC3339, bools: [2]string{"false", "true"}}
	csvForm  = form{none: "", layout: time.RFC3339, bools: [2]string{"false", "true"}}
)

func textsOf(row []any, f form) (texts []string) {
	for _, cell := range row {
		texts = append(texts, f.text(cell))
	}
	return texts
}

func (f form) text(cell any) string {
	text := ""
	switch v := cell.(type) {
	case nil:
	case string:
		text = Plain(v)
	case int:
		text = strconv.Itoa(v)
	case bool:
		text = f.bools[0]
		if v {
			text = f.bools[1]
		}
	case time.Time:
		if !v.IsZero() {
			text = v.UTC().Format(f.layout)
		}
	default:
		panic("a cell has a type that no format knows")
	}
	if text == "" {
		return f.none
	}
	return text
}

// FormatTime is an instant in whole seconds, or "-" for no instant, for messages.
func FormatTime(t time.Time) string { return textForm.text(t) }
