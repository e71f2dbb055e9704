package guard_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/storetest"
	"apitoken/infra/bolt/bolttest"
)

// TestEachVerdictIsObservedOnce, with the denial or the fault that the caller gets.
func TestEachVerdictIsObservedOnce(t *testing.T) {
	store := bolttest.Open(t)
	good := put(t, store, nil)
	broken := storetest.NewFaulty(store, func(storetest.Op) storetest.Fault { return storetest.Unapplied })
	for name, c := range map[string]struct {
		store events.Store
		q     guard.Question
	}{
		"passes":    {store, guard.Question{Authorization: []string{"Bearer " + good.Text().Reveal()}, Method: "GET", Path: "/"}},
		"no token":  {store, guard.Question{}},
		"bad token": {store, guard.Question{Authorization: []string{"Bearer x"}}},
		"in query":  {store, guard.Question{Query: "token=" + good.Text().Reveal()}},
		"fault":     {broken, guard.Question{Authorization: []string{"Bearer " + good.Text().Reveal()}}},
	} {
		var seen []guard.Verdict
		g := guard.New(guard.Config{
			Views: c.store, Uses: c.store, Notices: c.store, Keys: storetest.Keys, Now: func() time.Time { return now },
			Judged: func(d *guard.Denial, fault error) { seen = append(seen, guard.Verdict{Denial: d, Fault: fault}) },
		})
		v := g.Judge(t.Context(), c.q)
		if len(seen) != 1 || seen[0].Denial != v.Denial || !errors.Is(v.Fault, seen[0].Fault) || (v.Fault == nil) != (seen[0].Fault == nil) {
			t.Errorf("%s: observed %v, want once %v", name, seen, v)
		}
	}
}

// TestCodesAreComplete compares them with the constants.
func TestCodesAreComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "denial.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Code") {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, text)
		}
		return true
	})
	if got := guard.Codes(); len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
