package httpapi_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"apitoken/events/name"
	"apitoken/functions/httpapi"

	"pgregory.net/rapid"
)

// TestWhoAmIWrittenByHandIsTheSame as by encoding/json, or is left to it.
func TestWhoAmIWrittenByHandIsTheSame(t *testing.T) {
	byHand := 0
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.StringMatching(`[a-z:]*`) // all of them plain
		if rapid.Bool().Draw(t, "any text") {
			texts = rapid.OneOf(rapid.StringMatching(`[ -~]*`), texts, rapid.String())
		}
		w := httpapi.WhoAmI{ID: texts.Draw(t, "id"), Name: texts.Draw(t, "name"), User: name.IdentityOf(texts.Draw(t, "user"))}
		if rapid.Bool().Draw(t, "has permissions") {
			w.Permissions = rapid.SliceOf(texts).Draw(t, "permissions")
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(w); err != nil {
			t.Fatal(err)
		}
		got, ok := w.AppendJSON([]byte("x"))
		if !ok {
			return
		}
		byHand++
		if string(got)+"\n" != "x"+want.String() {
			t.Errorf("got x%s, want %s", got, want.String())
		}
	})
	if byHand == 0 {
		t.Error("no answer was written by hand: the test shows nothing")
	}
}
