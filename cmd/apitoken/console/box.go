package console

import (
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// boxCell is the text of a cell, in one or more lines, and its colour.
type boxCell struct {
	lines  []string
	colour string // "": none
}

// plainBox is the box for a program or a file: whole, and always the same.
func plainBox(t Table) string {
	var rows [][]string
	for _, row := range t.Rows {
		rows = append(rows, textsOf(row, boxForm))
	}
	return TextBox(t.Heads, rows)
}

// TextBox returns a box of texts, which must be printable, in the form of PrintTable in
// a pipe. Without heads it has no line for them. A row that is shorter than others ends
// with empty cells.
func TextBox(heads []string, rows [][]string) string {
	width := len(heads)
	for _, row := range rows {
		width = max(width, len(row))
	}
	var head, body [][]boxCell
	if heads != nil {
		head = [][]boxCell{cellsOf(heads, width)}
	}
	for _, row := range rows {
		body = append(body, cellsOf(row, width))
	}
	return drawBox(head, body)
}

// cellsOf returns a row with so many cells.
func cellsOf(texts []string, width int) []boxCell {
	row := make([]boxCell, width)
	for i, text := range texts {
		row[i].lines = []string{text}
	}
	return row
}

// drawBox draws groups of rows with lines of ASCII characters between the groups. All
// rows have the same number of cells.
func drawBox(groups ...[][]boxCell) string {
	groups = slices.DeleteFunc(groups, func(g [][]boxCell) bool { return len(g) == 0 })
	widths := widthsOf(slices.Concat(groups...))
	rule := "+"
	for _, w := range widths {
		rule += strings.Repeat("-", w+2) + "+"
	}
	var b strings.Builder
	b.WriteString(rule + "\n")
	for _, group := range groups {
		for _, row := range group {
			drawRow(&b, row, widths)
		}
		b.WriteString(rule + "\n")
	}
	return b.String()
}

func widthsOf(rows [][]boxCell) (widths []int) {
	for _, row := range rows {
		widths = append(widths, make([]int, max(0, len(row)-len(widths)))...)
		for i, cell := range row {
			for _, line := range cell.lines {
				widths[i] = max(widths[i], displaywidth.String(line))
			}
		}
	}
	return widths
}

// drawRow draws as many lines as the cell with the most lines has.
func drawRow(b *strings.Builder, row []boxCell, widths []int) {
	height := 0
	for _, cell := range row {
		height = max(height, len(cell.lines))
	}
	for n := range height {
		b.WriteString("|")
		for i, cell := range row {
			line := ""
			if n < len(cell.lines) {
				line = cell.lines[n]
			}
			blanks := strings.Repeat(" ", widths[i]-displaywidth.String(line))
			b.WriteString(" " + painted(line, cell.colour) + blanks + " |")
		}
		b.WriteString("\n")
	}
}

func painted(text, colour string) string {
	if colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
