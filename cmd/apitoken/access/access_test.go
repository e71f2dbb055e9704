package access

import (
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

func TestOnlyThisMachineIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.example.org": false, "127.0.0.1.example.org": false, "0.0.0.0": false, "192.0.2.1": false, "": false, "2130706433": false,
	} {
		if got := Local(host); got != want {
			t.Errorf("Local(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestProblemIsDescribedCompletely(t *testing.T) {
	at := httpapi.Time{Time: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}
	p := &httpapi.Problem{
		Status: 409, Code: "token_limit_reached", Detail: "No more.", RequestID: "R",
		Errors: []httpapi.FieldError{{Field: "user", Detail: "has five"}, {Field: "name", Detail: "No more."}}, SoonestExpiry: &at,
	}
	want := "name: " + p.Error() + "; user: has five; the next token expires at 2027-01-31T12:00:00Z"
	if got := Describe(p).Error(); got != want {
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
	if got := Describe(p).Error(); got != p.Error() {
		t.Errorf("got %q, want %q", got, p.Error())
	}
}
