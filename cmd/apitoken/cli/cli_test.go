package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

func TestOnlyThisMachineIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.example.org": false, "127.0.0.1.example.org": false, "0.0.0.0": false, "192.0.2.1": false, "": false, "2130706433": false,
	} {
		if got := local(host); got != want {
			t.Errorf("local(%q) = %v, want %v", host, got, want)
		}
	}
}

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
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMessagesShowNoToken(t *testing.T) {
	var written strings.Builder
	e := &env{err: &written}
	e.messagef("apitoken: %s", "open x/JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F: no such\nfile")
	if want := "apitoken: open x/[redacted]: no such; file\n"; written.String() != want {
		t.Errorf("got message %q, want %q", written.String(), want)
	}
}

func TestProblemIsDescribedCompletely(t *testing.T) {
	at := httpapi.Time{Time: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}
	p := &httpapi.Problem{
		Status: 409, Code: "token_limit_reached", Detail: "No more.", RequestID: "R",
		Errors: []httpapi.FieldError{{Field: "user", Detail: "has five"}, {Field: "name", Detail: "No more."}}, SoonestExpiry: &at,
	}
	want := "name: " + p.Error() + "; user: has five; the next token expires at 2027-01-31T12:00:00Z"
	if got := describe(p).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, part := range []string{"No more.", "409", "token_limit_reached"} {
		if !strings.Contains(want, part) {
			t.Errorf("%q lacks %q", want, part)
		}
	}
}

func TestAMemberIsNamedOnlyOnce(t *testing.T) {
	p := &httpapi.Problem{Status: 400, Code: "invalid_parameter", Detail: "state must be one.", RequestID: "R", Errors: []httpapi.FieldError{{Field: "state", Detail: "state must be one."}}}
	if got := describe(p).Error(); got != p.Error() {
		t.Errorf("got %q, want %q", got, p.Error())
	}
}

// TestCreateWithoutAnAnswerMayHaveMadeAToken: after a network error a token may
// exist, except if the connection was refused.
func TestCreateWithoutAnAnswerMayHaveMadeAToken(t *testing.T) {
	for _, c := range []struct {
		err     error
		unknown bool
	}{
		{fmt.Errorf("asking the service: %w", syscall.ECONNRESET), true},
		{fmt.Errorf("asking the service: %w", io.ErrUnexpectedEOF), true},
		{context.DeadlineExceeded, true},
		{&httpapi.Problem{Status: 502, Detail: "the answer is not one of this service"}, true},
		{&httpapi.Problem{Status: 409, Code: "token_limit_reached", Detail: "No more."}, false},
		{&httpapi.Problem{Status: 503, Code: "unavailable", Detail: "Try again."}, true},
		{fmt.Errorf("asking the service: %w", syscall.ECONNREFUSED), false},
	} {
		got := createError(c.err).Error()
		if unknown := strings.HasSuffix(got, "the token may have been created; if `apitoken list` shows it, revoke it"); unknown != c.unknown {
			t.Errorf("%v: got %q, want that the token may exist: %v", c.err, got, c.unknown)
		}
	}
}

func TestIDsHaveOneForm(t *testing.T) {
	for id, want := range map[string]bool{
		"JhxND7ci": true, "00000000": true, "JhxND7c": false, "JhxND7cii": false, "JhxND7c/": false, "JhxND7ç": false, "": false,
		"JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F": false, "corp_JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F": false,
	} {
		if _, err := checkID(id); (err == nil) != want {
			t.Errorf("checkID(%q) = %v, want accepted: %v", id, err, want)
		}
	}
}
