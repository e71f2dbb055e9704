package readmetest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sample = `# title

| call | answers |
|---|---|
| ` + "`GET /a`, `GET /b/`" + ` | ` + "`{}`" + ` |
| ` + "`PUT /a`" + ` | nothing |

| other | call |
|---|---|
| ` + "`X`" + ` | |
`

func TestNamesAreTheCodeSpansOfTheFirstColumn(t *testing.T) {
	got, err := namesIn(sample, "call")
	want := []Name{{"", 5, "GET /a"}, {"", 5, "GET /b/"}, {"", 6, "PUT /a"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestATableThatCannotBeReadIsAnError(t *testing.T) {
	for name, c := range map[string]struct{ readme, want string }{
		"no table":           {"# title\n", `there is no table "call"`},
		"header in a row":    {"| x |\n|---|\n| call |\n", `there is no table "call"`},
		"two tables":         {sample + sample, `line 13: a second table "call"`},
		"a row without name": {"| call |\n|---|\n| `a` |\n| b |\n", "line 4: the first cell has no name"},
	} {
		if _, err := namesIn(c.readme, "call"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestRowsHaveAllTheirCells(t *testing.T) {
	got, err := rowsIn("| call | status |\n|---|---|\n| `a` | 200 |\n| `b` | | \n", "call")
	if err != nil || !slices.Equal(got["a"], []string{"`a`", "200"}) || len(got) != 2 || got["b"][1] != "" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, readme := range []string{sample, "| call |\n|---|\n| `a` |\n| `a` |\n", "# title\n"} {
		if got, err := rowsIn(readme, "call"); err == nil {
			t.Errorf("got %q of %q, want an error", got, readme)
		}
	}
}

func TestEachDifferenceNamesItsRow(t *testing.T) {
	table := []Name{{"", 3, "a"}, {"", 4, "gone"}, {"", 5, "a"}}
	got := differences("call", table, []string{"a", "new"})
	want := []string{
		":4: the table \"call\" has `gone`, the code does not",
		":5: the table \"call\" has `a` already on line 3",
		"the table \"call\" has no row for `new`",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := differences("call", table[:1], []string{"a"}); got != nil {
		t.Errorf("got %q for equal tables", got)
	}
}

// read returns the variables of a package with this one file.
func read(t *testing.T, source string) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n"+source), 0o600); err != nil {
		t.Fatal(err)
	}
	return variablesBelow(dir)
}

func TestEveryFormOfReadingIsFound(t *testing.T) {
	for source, want := range map[string]string{
		`var v = os.Getenv("A")`:                                                                                         "A",
		`func f() { v, ok := os.LookupEnv("A"); _, _ = v, ok }`:                                                          "A",
		`func f(getenv func(string) string) { getenv("A"); getenv("B") }`:                                                "A B",
		`func (w *world) f() string { return first(w.getenv("A"), "B") }`:                                                "A",
		"func f() { for _, n := range []string{`A`, `B`} { getenv(n) } }":                                                "A B",
		`func f(service string) { getenv("A_" + service) }`:                                                              "A_SERVICE",
		`func f() { g(1, "A") }; func g(n int, name string) { os.Getenv(name) }`:                                         "A",
		`func f() { (r{}).outer("A") }; func (r) outer(n string) { inner(n) }; func inner(name string) { getenv(name) }`: "A",
		`func (e Env) EnvValue(n string) { getenv(n) }; func f() { console.EnvPath("B") }`:                               "B",
		`func f() { println("A"); os.Setenv("B", "") }`:                                                                  "",
	} {
		got, err := read(t, source)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestANameThatCannotBeReadIsAnError(t *testing.T) {
	for _, source := range []string{
		`func f() { os.Getenv(name()) }`,
		`func f() { os.Getenv(constant) }`,
		`func f() { os.Getenv(prefix + "A") }`,
		`func f(list []string) { for _, n := range list { os.Getenv(n) } }`,
		`func f() { for _, n := range []string{"A", b} { os.Getenv(n) } }`,
		`func f() { g(x.y) }; func g(name string) { os.Getenv(name) }`,
		`func Read(name string) { os.Getenv(name) }`, // other packages may call it
	} {
		got, err := read(t, source)
		if err == nil || !strings.Contains(err.Error(), "a.go:2:") {
			t.Errorf("%s: got %q, %v, want an error with the position", source, got, err)
		}
	}
}

func TestTestsAndTestdataAreSkipped(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"a.go": `package a; var a = os.Getenv("A")`, "a_test.go": `package a; var b = os.Getenv("B")`,
		"sub/c.go": `package c; var c = os.Getenv("C")`, "testdata/d.go": `package d; var d = os.Getenv("D")`,
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := variablesBelow(dir)
	if err != nil || !slices.Equal(got, []string{"A", "C"}) {
		t.Errorf("got %v, %v, want A and C", got, err)
	}
}
