package console

import (
	"strings"
	"testing"
)

func TestTextsOfOthersSendNoControlCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"ann":           "ann",
		"Zoë 名前":        "Zoë 名前",
		"\x1b[2Jgone":   "\uFFFD[2Jgone",
		"a\nb\tc\r":     "a\uFFFDb\uFFFDc\uFFFD",
		"\u202egnp.exe": "\uFFFDgnp.exe",
		"می\u200cخواهم": "می\u200cخواهم",
		"a\u200bb":      "a\uFFFDb",
	} {
		if got := Plain(text); got != want {
			t.Errorf("Plain(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMessagesShowNoToken(t *testing.T) {
	var written strings.Builder
	e := &Env{Err: &written}
	e.Messagef("apitoken: %s", "open x/JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F: no such\nfile")
	if want := "apitoken: open x/[redacted]: no such; file\n"; written.String() != want {
		t.Errorf("got message %q, want %q", written.String(), want)
	}
}
