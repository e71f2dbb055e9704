package operator

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/console/terminaltest"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
)

var update = flag.Bool("update", false, "renew the recorded scenes")

// slowReader waits before each page of copies.
type slowReader struct {
	audit.Reader
	pause time.Duration
}

func (r slowReader) Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	time.Sleep(r.pause)
	return r.Reader.Copy(ctx, s, after, limit)
}

// TestProgressOfAnAuditOnATerminal: data and progress share the terminal, and no line
// of data begins after a rest of progress. A fast audit shows no progress.
func TestProgressOfAnAuditOnATerminal(t *testing.T) {
	store := bolttest.Open(t)
	i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys})
	for _, owner := range []string{"ann", "bob"} {
		if _, _, err := i.Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{}); err != nil {
			t.Fatal(err)
		}
	}
	for scene, c := range map[string]struct {
		pause time.Duration
		do    func(*source, *console.Env) error
	}{
		"audit_verify":      {600 * time.Millisecond, func(s *source, e *console.Env) error { return newVerification(s, e).run(t.Context()) }},
		"audit_export":      {600 * time.Millisecond, func(s *source, e *console.Env) error { return s.export(t.Context(), e, "") }},
		"audit_verify_fast": {0, func(s *source, e *console.Env) error { return newVerification(s, e).run(t.Context()) }},
	} {
		t.Run(scene, func(t *testing.T) {
			x := terminaltest.Open(t, 80)
			e := &console.Env{In: x.File, Out: x.File, Err: x.File, Getenv: func(name string) string { return map[string]string{"TERM": "xterm"}[name] }}
			s := &source{log: store, keys: storetest.Keys, ids: store.TokenIDs, streams: []events.Stream{"user/ann", "user/bob"}}
			s.copies = slowReader{deployed{logCopies{store}}, c.pause}
			if err := c.do(s, e); err != nil {
				t.Error(err)
			}
			text := x.Text()
			for line := range strings.Lines(text) {
				if at := strings.LastIndex(line, "\r"); at >= 0 && !strings.HasPrefix(line[at:], "\r\x1b[K") {
					t.Errorf("data follows progress that was not erased: %q", line)
				}
			}
			terminaltest.Compare(t, filepath.Join("..", "testdata", "terminal", scene+".golden"), shape(text), *update)
		})
	}
}

// deployed gives the copies a deployment, as the code that publishes events does.
type deployed struct{ audit.Reader }

func (r deployed) Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	ms, err := r.Reader.Copy(ctx, s, after, limit)
	for i := range ms {
		ms[i].Deployment = copiesOf
	}
	return ms, err
}

var object = regexp.MustCompile(`\{.*"id":"([^"]*)".*\}`)

// shape replaces an event by its id: the rest changes in each run.
func shape(text string) string { return object.ReplaceAllString(text, fmt.Sprintf("{%s}", "$1")) }
