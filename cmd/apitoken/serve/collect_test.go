package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/eventfile"
)

// TestACollectionRunsRegularlyUntilTheEnd with the time of its start. The end stops
// the collection that runs, and waits for it: the store is closed afterwards.
func TestACollectionRunsRegularlyUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), false
		var at []time.Duration
		var log bytes.Buffer
		l := &collectLoop{every: collectEvery, logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(ctx context.Context, now time.Time) (events.Collected, error) {
			if at = append(at, now.Sub(began)); len(at) < 3 {
				return events.Collected{}, errors.New("a fault ends no loop")
			}
			<-ctx.Done()
			time.Sleep(time.Second) // the last transaction
			ended = true
			return events.Collected{Records: 7}, ctx.Err()
		}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := l.start(ctx)
		time.Sleep(time.Hour)
		cancel() // requests in flight come first
		time.Sleep(time.Minute)
		if ended {
			t.Error("the collection was stopped before the requests in flight had ended")
		}
		stop()
		if len(at) != 3 || at[0] != collectEvery || at[2] != 3*collectEvery {
			t.Errorf("got collections at %v", at)
		}
		if !ended || !strings.Contains(log.String(), "the next start goes on\" records=7") {
			t.Errorf("ended: %t, log: %s", ended, &log)
		}
	})
}

func TestACollectionWritesALineOnlyIfItDidSomething(t *testing.T) {
	for _, c := range []struct {
		result events.Collected
		err    error
		want   string
	}{
		{events.Collected{}, nil, ""},
		{events.Collected{Records: 1, Views: 2, Replies: 3, Notices: 4}, nil, "records=1 tokens=2 replies=3 notices=4"},
		{events.Collected{Records: 1}, errors.New("disk"), "error=disk"},
	} {
		var log bytes.Buffer
		l := &collectLoop{logger: slog.New(slog.NewTextHandler(&log, nil)), run: func(context.Context, time.Time) (events.Collected, error) { return c.result, c.err }}
		l.once(t.Context())
		if !strings.Contains(log.String(), c.want) || (c.want == "") != (log.Len() == 0) {
			t.Errorf("%+v: got %q, want %q", c, &log, c.want)
		}
	}
}

// lockedLog collects what the server logs.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestTheServerRemovesWhatIsPastItsRetention has a token that ended 401 days ago, and
// whose events are not sent yet.
func TestTheServerRemovesWhatIsPastItsRetention(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f, err := datadir.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().AddDate(0, 0, -401)
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Now: func() time.Time { return then }})
	ann := guard.Principal{Owner: "ann"}
	made, _, err := i.Create(t.Context(), ann, "", token.Wish{})
	if err := errors.Join(err, i.Revoke(t.Context(), ann, made.ID), f.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log, ended := &lockedLog{}, make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{
			Listen: "127.0.0.1:0", Data: dir, EventsPart: eventfile.DefaultPart, Out: io.Discard,
			Logger: slog.New(slog.NewTextHandler(log, nil)), collectEvery: 10 * time.Millisecond,
		})
	}()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(log.String(), "is removed\" records=2 "); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server did not remove anything: %s", log)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if f, err = datadir.OpenExisting(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rs, err := f.Store.History(t.Context(), "user/ann", 0, 10)
	_, _, missing := f.Store.Token(t.Context(), made.ID)
	if err != nil || len(rs) > 0 || !errors.Is(missing, events.ErrNotFound) {
		t.Errorf("the store has %d records (%v), and the token: %v", len(rs), err, missing)
	}
	copies, err := eventfile.OpenCopies(f.EventsPath())
	if err != nil {
		t.Fatal(err)
	}
	defer copies.Close()
	if ms, err := copies.Copy(t.Context(), "user/ann", 0, 10); err != nil || len(ms) != 2 {
		t.Errorf("the file of events has %d events of the user, %v, want both", len(ms), err)
	}
}
