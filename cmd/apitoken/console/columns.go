package console

import (
	"slices"

	"github.com/clipperhouse/displaywidth"
)

// column is a column of a table that is made to fit.
type column struct {
	head   string
	cells  []boxCell
	width  int
	filled bool // a cell has a value
	cuts   bool // its cells are texts, and not all are short
}

// columns returns the head and the rows of a table that one step has made narrower,
// and whether they fit.
func (f fitter) columns(t Table, s step) (head, rows [][]boxCell, ok bool) {
	var all []*column
	for i := range t.Heads {
		all = append(all, f.column(t, i, s))
	}
	if s.dropEmpty {
		all = slices.DeleteFunc(all, func(c *column) bool { return !c.filled })
	}
	if len(all) == 0 || !narrow(all, f.width-borders(len(all)), s.least) {
		return nil, nil, false
	}
	head, rows = make([][]boxCell, 1), make([][]boxCell, len(t.Rows))
	for _, c := range all {
		head[0] = append(head[0], boxCell{lines: []string{shorten(c.head, c.width)}})
		for i, cell := range c.cells {
			cell.lines[0] = shorten(cell.lines[0], c.width)
			rows[i] = append(rows[i], cell)
		}
	}
	return head, rows, true
}

func (f fitter) column(t Table, i int, s step) *column {
	c, texts := &column{head: t.Heads[i]}, true
	form := f.form(s)
	for _, row := range t.Rows {
		text := form.text(row[i])
		c.cells = append(c.cells, f.cell(row[i], text))
		c.width = max(c.width, displaywidth.String(text))
		c.filled = c.filled || csvForm.text(row[i]) != ""
		_, isText := row[i].(string)
		texts = texts && (isText || row[i] == nil)
	}
	c.cuts = texts && c.width > short
	head := displaywidth.String(c.head)
	if s.cutHeads {
		head = min(head, short)
	}
	c.width = max(c.width, head)
	return c
}

// narrow makes the widest texts narrower until the columns fit, and reports whether
// they do.
func narrow(all []*column, room, least int) bool {
	total := 0
	for _, c := range all {
		total += c.width
	}
	for ; total > room; total-- {
		var widest *column
		for _, c := range all {
			if c.cuts && c.width > least && (widest == nil || c.width > widest.width) {
				widest = c
			}
		}
		if widest == nil {
			return false
		}
		widest.width--
	}
	return true
}

func shorten(text string, width int) string { return displaywidth.TruncateString(text, width, "…") }
