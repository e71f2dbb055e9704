package console

import (
	"strings"
	"testing"
)

// TestColumnsBeginInTheSameTerminalColumn names the width of each name itself, so
// that it does not depend on the library.
func TestColumnsBeginInTheSameTerminalColumn(t *testing.T) {
	names := map[string]int{
		"ci": 2, "本番環境用の接続鍵": 18, "deploy 🚀": 9, "josé": 4, "jose\u0301": 4, "한국어": 6, "ｆｕｌｌ": 8, "ﾊﾝｶｸ": 4,
		"می\u200cخواهم": 7, "🇩🇪": 2, "👍🏽": 2, "☃": 1, "a\u0308\u0323": 1, "-": 1,
	}
	var rows [][]any
	for name := range names {
		rows = append(rows, []any{"JhxND7ci", name, "OWNER", "active"})
	}
	var out strings.Builder
	e := &Env{Out: &out}
	if err := e.PrintTable("table", Table{Heads: []string{"ID", "Name", "OWNER", "State"}, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	column := strings.Index(lines[1], "OWNER")
	for i, row := range rows {
		line, name := lines[i+3], row[1].(string)
		before, _, found := strings.Cut(line, "OWNER")
		rest := strings.TrimPrefix(before, "| JhxND7ci | "+name)
		width := len("| JhxND7ci | ") + names[name] + len(rest)
		if !found || width != column {
			t.Errorf("%q: OWNER begins in column %d, want %d: %q", name, width, column, line)
		}
	}
}
