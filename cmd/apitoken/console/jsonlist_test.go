package console

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestAJSONListIsPrintedAsAWhole: element by element, with the same bytes.
func TestAJSONListIsPrintedAsAWhole(t *testing.T) {
	for _, list := range [][]json.RawMessage{
		{}, {json.RawMessage(`1`)}, {json.RawMessage(`{"a":"<\u009b>","b":[1,{}]}`), json.RawMessage(`"é"`), json.RawMessage(`[]`)},
	} {
		var whole, parts bytes.Buffer
		if err := PrintJSON(&whole, list); err != nil {
			t.Fatal(err)
		}
		l := NewJSONList(&parts)
		for _, element := range list {
			if err := l.Add(element); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.End(); err != nil || parts.String() != whole.String() {
			t.Errorf("got\n%s%v, want\n%s", parts.String(), err, whole.String())
		}
	}
}
