package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"apitoken/functions/httpapi"
)

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
