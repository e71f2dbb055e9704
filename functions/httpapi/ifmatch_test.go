package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// noToken is the condition that no token fulfils: no token has the sequence 0.
var noToken = []uint64{0}

func TestIfMatchNamesTheSequencesOfStrongTags(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   []uint64 // nil: no condition
	}{
		{nil, nil},
		{[]string{"*"}, nil},
		{[]string{" *\t"}, nil},
		{[]string{`"1"`}, []uint64{1}},
		{[]string{`"1", "20" ,"18446744073709551615"`}, []uint64{1, 20, 1<<64 - 1}},
		{[]string{`"1"`, `"2","3"`}, []uint64{1, 2, 3}},
		{[]string{`, ,"1",, "2",`}, []uint64{1, 2}},
		{[]string{`W/"1", "2"`}, []uint64{2}},
		{[]string{`"a,b", "2"`}, []uint64{2}},
		{[]string{`"*"`}, noToken},
		{[]string{`W/"1"`}, noToken},
		{[]string{`"W/1"`}, noToken},
		{[]string{""}, noToken},
		{[]string{" , "}, noToken},
		{[]string{`""`}, noToken},
		{[]string{`"0"`}, noToken},
		{[]string{`"01"`}, noToken},
		{[]string{`"+1"`}, noToken},
		{[]string{`"-1"`}, noToken},
		{[]string{`"1-gzip"`}, noToken},
		{[]string{"\"é\""}, noToken},
		{[]string{`"18446744073709551616"`}, noToken},
	} {
		got, err := httpapi.IfMatch(c.values...)
		if err != nil || !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%q: got %v, %v, want %v", c.values, got, err, c.want)
		}
	}
}

func TestMalformedIfMatchIsRefusedByName(t *testing.T) {
	for _, values := range [][]string{
		{"1"}, {`"1`}, {`1"`}, {`'1'`}, {`w/"1"`}, {`W/1`}, {`W/`}, {`W /"1"`}, {`"1" "2"`}, {`"1"2`}, {`"1";"2"`}, {`"a b"`}, {"\"a\x7f\""},
		{`*, "1"`}, {`"1", *`}, {"*", "*"}, {"*", `"1"`}, {"**"}, {`"1", 2`}, {`"1", "2`},
	} {
		got, err := httpapi.IfMatch(values...)
		p, ok := err.(*machine.Problem)
		if !ok || p.Code != "invalid_header" || p.Status != http.StatusBadRequest || !strings.Contains(p.Detail, "If-Match") || !strings.Contains(p.Detail, "allowed: ") {
			t.Errorf("%q: got %v, %v, want 400 invalid_header with what is allowed", values, got, err)
		}
	}
}

// TestETagIsTheTagThatIfMatchNames: a client sends the text of an ETag unchanged.
func TestETagIsTheTagThatIfMatchNames(t *testing.T) {
	for _, n := range []uint64{1, 9, 10, 1<<64 - 1} {
		if got, err := httpapi.IfMatch(httpapi.ETagOf(n)); err != nil || !slices.Equal(got, []uint64{n}) {
			t.Errorf("%d: got %v, %v", n, got, err)
		}
	}
}

// TestGetIgnoresIfNoneMatch: answers are not to be stored, so a 304 would leave the
// client without the entry.
func TestGetIgnoresIfNoneMatch(t *testing.T) {
	w := newScene(t)
	for _, path := range []string{collection + "self", collection + strings.SplitN(w.admin, ".", 2)[0]} {
		for _, tag := range []string{"*", `"1"`, `W/"1"`} {
			header := http.Header{"Authorization": {"Bearer " + w.admin}, "If-None-Match": {tag}}
			a := w.send("GET", path, header, strings.NewReader("")).expect(t, http.StatusOK, "")
			if e := decodeAs[httpapi.Entry](t, a); e.ID == "" || a.header.Get("Etag") == "" {
				t.Errorf("%s with If-None-Match %s: got %s, want the entry", path, tag, a.body)
			}
		}
	}
}

// changeWith sends a change with these values of If-Match.
func (w *scene) changeWith(method, path, token, body string, tags ...string) answer {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if len(tags) > 0 {
		header["If-Match"] = tags
	}
	return w.send(method, path, header, strings.NewReader(body))
}

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{"*", `"1"`, `W/"1", "2"`, `,"a,b"`, `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := httpapi.IfMatch(value)
		switch {
		case err != nil && got != nil:
			t.Errorf("got %v with %v", got, err)
		case err == nil && got == nil && strings.Trim(value, " \t") != "*":
			t.Errorf("%q is no condition", value)
		case err == nil && got != nil && len(got) == 0:
			t.Errorf("%q is an empty list, which Revoke takes for no condition", value)
		}
	})
}
