package console

import (
	"strings"
	"time"

	"github.com/clipperhouse/displaywidth"
)

// fitter makes the box of a table for a terminal.
type fitter struct {
	width   int // of the terminal
	now     time.Time
	colours bool
}

// step is one way to make a table narrower.
type step struct {
	layout    string // of instants
	relative  bool   // with the distance from now
	least     int    // a text is cut to this many columns of the terminal, not to fewer
	cutHeads  bool   // heads may be cut as texts may
	dropEmpty bool   // without the columns that have no value
}

// steps are tried in this order. What a person needs most goes last: ids and dates
// stay whole in all of them.
var steps = []step{
	{layout: time.DateTime, relative: true, least: 12},
	{layout: time.DateTime, least: 12},
	{layout: time.DateTime, least: 8, cutHeads: true, dropEmpty: true},
	{layout: time.DateOnly, least: 6, cutHeads: true, dropEmpty: true},
}

// short is the width of a token id. A column that is not wider is not cut.
const short = 8

// box returns the box of the first step that fits. If none fits, each row of the table
// becomes a group of rows, with a head and its value each.
func (f fitter) box(t Table) string {
	if t.Heads == nil {
		return drawBox(f.fields(t.Rows))
	}
	for _, s := range steps {
		if head, rows, ok := f.columns(t, s); ok {
			return drawBox(head, rows)
		}
	}
	var groups [][][]boxCell
	for _, row := range t.Rows {
		var fields [][]any
		for i, head := range t.Heads {
			fields = append(fields, []any{head, row[i]})
		}
		groups = append(groups, f.fields(fields))
	}
	return drawBox(groups...)
}

func (f fitter) form(s step) form {
	form := boxForm
	form.layout = s.layout
	if s.relative {
		form.relative = relativeTo(f.now)
	}
	return form
}

func (f fitter) cell(cell any, lines ...string) boxCell {
	c := boxCell{lines: lines}
	if f.colours {
		c.colour = colourOf(cell, f.now)
	}
	return c
}

// borders is how many columns of the terminal the lines and blanks of a box take.
func borders(columns int) int { return 3*columns + 1 }

// fields returns the rows of fields: a name and a value each. A value that is too long
// for the terminal continues in the next line. A person asked for this value, so it
// is not cut.
func (f fitter) fields(rows [][]any) (cells [][]boxCell) {
	names := 0
	for _, row := range rows {
		names = max(names, displaywidth.String(boxForm.text(row[0])))
	}
	room := max(f.width-borders(2)-names, len(time.DateOnly))
	for _, row := range rows {
		cells = append(cells, []boxCell{{lines: []string{boxForm.text(row[0])}}, f.value(row[1], room)})
	}
	return cells
}

func (f fitter) value(cell any, room int) boxCell {
	text := ""
	for _, s := range steps {
		if text = f.form(s).text(cell); displaywidth.String(text) <= room {
			break
		}
	}
	return f.cell(cell, wrap(text, room)...)
}

// wrap returns the lines of a text, cut after a blank if the line has one.
func wrap(text string, width int) (lines []string) {
	for displaywidth.String(text) > width {
		line := displaywidth.TruncateString(text, width, "")
		if line == "" {
			break // one character is wider than the line
		}
		if blank := strings.LastIndex(line, " "); blank > 0 {
			line = line[:blank+1]
		}
		lines, text = append(lines, strings.TrimSuffix(line, " ")), text[len(line):]
	}
	return append(lines, text)
}
