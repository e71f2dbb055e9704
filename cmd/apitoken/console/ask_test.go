package console

import (
	"context"
	"errors"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/console/terminaltest"
)

func TestOnlyYesConfirms(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Yes\n": true, " y \n": true, "\n": false, "n\n": false, "yy\n": false, "\x04": false} {
		x := terminaltest.Open(t, 80)
		x.Type(t, answer)
		e := &Env{In: x.File, Err: x.File}
		if got, err := e.Confirm(t.Context(), "Delete \x1b[2Jit?"); got != want || err != nil {
			t.Errorf("answer %q: got %v, %v, want %v", answer, got, err, want)
		}
		if text := x.Text(); !strings.Contains(text, "Delete \uFFFD[2Jit? [y/N]\n") { // the echo may be earlier or later
			t.Errorf("answer %q: got %q on the terminal", answer, text)
		}
	}
}

func TestAnInterruptionEndsTheQuestion(t *testing.T) {
	x := terminaltest.Open(t, 80)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := &Env{In: x.File, Err: x.File}
	yes, err := e.Confirm(ctx, "Delete it?")
	if yes || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want the error of the context", yes, err)
	}
	x.Type(t, "\n") // ends the read of the terminal
}
