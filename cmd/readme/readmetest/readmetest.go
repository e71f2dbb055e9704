// Package readmetest compares the tables of the README, and of the page about AWS,
// with the code. The tests of the packages that a table describes use it.
//
// A table is named by the first cell of its header. Each code span in the first
// column of a row is one name of the table. Every other column is prose and is
// not compared.
package readmetest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the files with tables, from the top of the module on.
var pages = []string{"README.md", "infra/sam/README.md"}

// Name is a name in the first column of a table, with its line in its page.
type Name struct {
	Page string
	Line int
	Text string
}

// Names returns the names of the one table with this header. The test fails if
// the pages have no such table, two of them, or a row without a name.
func Names(t testing.TB, header string) []Name {
	t.Helper()
	page, text := pageWith(t, header)
	names, err := namesIn(text, header)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	for i := range names {
		names[i].Page = page
	}
	return names
}

// pageWith returns the only page that has a table with this header, with its text.
func pageWith(t testing.TB, header string) (page, text string) {
	t.Helper()
	for _, p := range pages {
		b, err := os.ReadFile(filepath.Join(moduleRoot(t), p))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "\n| "+header+" |") {
			continue
		}
		if page != "" {
			t.Fatalf("%s and %s have both a table %q", page, p, header)
		}
		page, text = p, string(b)
	}
	if page == "" {
		t.Fatalf("none of %q has a table %q", pages, header)
	}
	return page, text
}

// Rows returns the cells of each row of the one table with this header, by the name
// in the first cell. The test fails if the pages have no such table, two of them, two
// rows with the same name, or a row without exactly one name.
func Rows(t testing.TB, header string) map[string][]string {
	t.Helper()
	page, text := pageWith(t, header)
	rows, err := rowsIn(text, header)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return rows
}

func rowsIn(readme, header string) (map[string][]string, error) {
	names, err := namesIn(readme, header)
	if err != nil {
		return nil, err
	}
	lines, rows := strings.Split(readme, "\n"), map[string][]string{}
	for i, name := range names {
		if i > 0 && names[i-1].Line == name.Line || rows[name.Text] != nil {
			return nil, fmt.Errorf("line %d: `%s` is there twice, or is the second name of its row", name.Line, name.Text)
		}
		for cell := range strings.SplitSeq(strings.Trim(lines[name.Line-1], "|"), "|") {
			rows[name.Text] = append(rows[name.Text], strings.TrimSpace(cell))
		}
	}
	return rows, nil
}

// Compare fails the test for each row with a name that the code does not have,
// and for each name of the code that the table does not have.
func Compare(t testing.TB, header string, table []Name, code []string) {
	t.Helper()
	for _, problem := range differences(header, table, code) {
		t.Error(problem)
	}
}

func differences(header string, table []Name, code []string) (problems []string) {
	lines := map[string]int{}
	for _, name := range table {
		if first, twice := lines[name.Text]; twice {
			problems = append(problems, fmt.Sprintf("%s:%d: the table %q has `%s` already on line %d", name.Page, name.Line, header, name.Text, first))
		}
		lines[name.Text] = name.Line
		if !slices.Contains(code, name.Text) {
			problems = append(problems, fmt.Sprintf("%s:%d: the table %q has `%s`, the code does not", name.Page, name.Line, header, name.Text))
		}
	}
	for _, name := range code {
		if lines[name] == 0 {
			problems = append(problems, fmt.Sprintf("the table %q has no row for `%s`", header, name))
		}
	}
	return problems
}

// codeSpan is a text between backquotes.
var codeSpan = regexp.MustCompile("`([^`]+)`")

// namesIn reads the one table with this first cell in its header.
func namesIn(readme, header string) (names []Name, err error) {
	lines := strings.Split(readme, "\n")
	found := false
	for i, line := range lines {
		if !isRow(line) || firstCell(line) != header || i > 0 && isRow(lines[i-1]) {
			continue
		}
		if found {
			return nil, fmt.Errorf("line %d: a second table %q", i+1, header)
		}
		found = true
		if names, err = namesOfRows(lines, i+2); err != nil { // the next line separates header and rows
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("there is no table %q", header)
	}
	return names, nil
}

// namesOfRows reads rows from an index of the lines up to the end of the table.
func namesOfRows(lines []string, from int) (names []Name, err error) {
	for i := from; i < len(lines) && isRow(lines[i]); i++ {
		spans := codeSpan.FindAllStringSubmatch(firstCell(lines[i]), -1)
		if spans == nil {
			return nil, fmt.Errorf("line %d: the first cell has no name between backquotes: %s", i+1, lines[i])
		}
		for _, span := range spans {
			names = append(names, Name{Line: i + 1, Text: span[1]})
		}
	}
	return names, nil
}

func isRow(line string) bool { return strings.HasPrefix(line, "|") }

func firstCell(row string) string {
	cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
	return strings.TrimSpace(cell)
}

// moduleRoot is the folder of go.mod, at or above the folder of the test.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("there is no go.mod at or above the folder of the test")
	}
}
