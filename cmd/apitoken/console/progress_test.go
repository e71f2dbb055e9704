package console

import (
	"strings"
	"testing"
	"time"
)

// progressScene is a Progress on a terminal, with a clock that the test moves.
func progressScene() (p *Progress, out, errs *strings.Builder, clock *time.Time) {
	out, errs, clock = &strings.Builder{}, &strings.Builder{}, new(noon)
	e := &Env{Out: out, Err: errs, Getenv: func(string) string { return "" }, now: func() time.Time { return *clock }}
	p = e.StartProgress()
	p.draws = true
	return p, out, errs, clock
}

func TestShortWorkShowsNoProgress(t *testing.T) {
	p, _, errs, clock := progressScene()
	p.Showf("1 token")
	*clock = clock.Add(quietTime - 1)
	p.Showf("2 tokens")
	p.End()
	if errs.Len() > 0 {
		t.Errorf("got %q", errs)
	}
}

func TestProgressIsErasedForMessagesAndAtTheEnd(t *testing.T) {
	p, _, errs, clock := progressScene()
	*clock = clock.Add(quietTime)
	p.Showf("%d tokens", 1)
	p.Showf("%d tokens", 2) // too soon
	p.e.Messagef("a message")
	p.e.Messagef("another")
	*clock = clock.Add(redrawTime)
	p.Showf("%d\x1b tokens %s", 3, strings.Repeat("x", 90))
	p.End()
	p.End()
	p.e.Messagef("later")
	want := "\r\x1b[K1 tokens\r\x1b[Ka message\nanother\n\r\x1b[K3\uFFFD tokens " + strings.Repeat("x", 68) + "…\r\x1b[Klater\n"
	if errs.String() != want {
		t.Errorf("got %q,\nwant %q", errs, want)
	}
}

func TestNoProgressWithoutATerminal(t *testing.T) {
	var errs strings.Builder
	e := &Env{Err: &errs, Getenv: func(string) string { return "xterm" }, now: func() time.Time { return noon }}
	p := e.StartProgress()
	e.now = func() time.Time { return noon.Add(time.Hour) }
	p.Showf("1 token")
	p.End()
	if errs.Len() > 0 {
		t.Errorf("got %q", &errs)
	}
}
