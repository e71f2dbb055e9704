package jsontext

import (
	"encoding/json"
	"testing"
)

// TestPlainTextsAreThoseOfEncodingJSON, for every text of one byte, alone and inside
// of another text. Printable ASCII that JSON does not escape is plain.
func TestPlainTextsAreThoseOfEncodingJSON(t *testing.T) {
	for c := range 256 {
		for _, text := range []string{string([]byte{byte(c)}), "a" + string([]byte{byte(c)}) + "z"} {
			want, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := AppendPlain([]byte("x"), text)
			if isPlain := c < 0x7f && string(want) == `"`+text+`"`; ok != isPlain {
				t.Errorf("%q: plain %t, want %t", text, ok, isPlain)
			}
			if ok && string(got) != "x"+string(want) {
				t.Errorf("%q: got %s, want %s", text, got, want)
			}
		}
	}
	if _, ok := AppendPlain(nil, "é"); ok {
		t.Error("é: plain, and is not ASCII")
	}
}
