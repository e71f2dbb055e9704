package guard_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/storetest"
)

// putRotated stores a token of ann with an outgoing secret whose grace has the given
// end, and returns the token with this secret.
func putRotated(t testing.TB, s events.Store, until time.Time, change func(*events.View)) secret.Token {
	t.Helper()
	return put(t, s, func(v *events.View) {
		v.Outgoing, v.OutgoingUntil, v.Rotated = v.Verifier, until, 7
		v.Verifier = events.Verifier{Kid: v.Verifier.Kid, MAC: make([]byte, 32)}
		if change != nil {
			change(v)
		}
	})
}

// outbox counts the notices that a guard puts, and can fail.
type outbox struct {
	mu       sync.Mutex
	messages []events.Message
	fails    atomic.Bool
}

func (o *outbox) Notify(_ context.Context, m events.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = append(o.messages, m)
	if o.fails.Load() {
		return storetest.ErrFault
	}
	return nil
}

func (o *outbox) ids() (ids []string) {
	for _, m := range o.messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// TestOnlyAnOutgoingSecretAfterItsGraceIsPublished: a secret that does not match, a
// secret in its grace, and one of a token that has ended are no sign of a leak that
// the owner does not know from another answer.
func TestOnlyAnOutgoingSecretAfterItsGraceIsPublished(t *testing.T) {
	past := now.Add(-time.Second)
	away := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, test := range map[string]struct {
		until  time.Time
		change func(*events.View)
		shown  func(testing.TB, secret.Token) secret.Token
		want   int
	}{
		"after its grace":                {past, nil, nil, 1},
		"at the end of its grace":        {now, nil, nil, 1},
		"in its grace":                   {now.Add(time.Microsecond), nil, nil, 0},
		"a wrong secret":                 {past, nil, withWrongSecret, 0},
		"of a disabled token":            {past, func(v *events.View) { v.Disabled = true }, nil, 1},
		"of a suspended owner":           {past, func(v *events.View) { v.Suspended = true }, nil, 1},
		"from another address":           {past, func(v *events.View) { v.SourceIPs = away }, nil, 1},
		"of a revoked token":             {past, func(v *events.View) { v.Ended, v.EndedAt = events.EndedRevoked, past }, nil, 0},
		"of an expired token":            {past, func(v *events.View) { v.ExpiresAt = past }, nil, 0},
		"in its grace, of another owner": {now.Add(time.Hour), func(v *events.View) { v.Owner = "bob" }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, o := open(t), &outbox{}
			shown := putRotated(t, s, test.until, test.change)
			if test.shown != nil {
				shown = test.shown(t, shown)
			}
			g := guard.New(guard.Config{Views: s, Uses: s, Notices: o, Keys: storetest.Keys, Now: func() time.Time { return now }})
			_, err := g.Check(t.Context(), shown, here)
			if got := len(o.messages); got != test.want || test.want == 1 && codeOf(t, err) != guard.CodeReplaced {
				t.Errorf("got %d notices and %v, want %d", got, err, test.want)
			}
		})
	}
}

// TestANoticeNamesTheTokenAndTheRotation, and has neither secret nor verifier.
func TestANoticeNamesTheTokenAndTheRotation(t *testing.T) {
	s, o := open(t), &outbox{}
	shown := putRotated(t, s, now.Add(-time.Hour), nil)
	g := guard.New(guard.Config{Views: s, Uses: s, Notices: o, Keys: storetest.Keys, Now: func() time.Time { return now }})
	if _, err := g.Check(t.Context(), shown, here); codeOf(t, err) != guard.CodeReplaced {
		t.Fatal(err)
	}
	m := o.messages[0]
	want := fmt.Sprintf(`{"v":1,"token_id":%q,"owner":"ann","rotation_sequence":7,"ended_at":"2026-11-21T11:00:00.000000Z","day":"2026-11-21"}`, shown.ID)
	if m.ID != "TokenReused/"+shown.ID+"/7/2026-11-21" || m.Type != "TokenReused" || m.Subject != shown.ID || string(m.Data) != want {
		t.Errorf("got %+v with %s, want %s", m, m.Data, want)
	}
}

// TestAGuardSendsANoticeOnceADay: a program that goes on with the old secret costs
// one write for each day and token.
func TestAGuardSendsANoticeOnceADay(t *testing.T) {
	s, o := open(t), &outbox{}
	first, second := putRotated(t, s, now.Add(-time.Hour), nil), putRotated(t, s, now.Add(-time.Hour), nil)
	clock := now
	g := guard.New(guard.Config{Views: s, Uses: s, Notices: o, Keys: storetest.Keys, Now: func() time.Time { return clock }})
	use := func() {
		for range 3 {
			for _, shown := range []secret.Token{first, second} {
				if _, err := g.Check(t.Context(), shown, here); codeOf(t, err) != guard.CodeReplaced {
					t.Error(err)
				}
			}
		}
	}
	use()
	clock = now.Add(12*time.Hour - time.Microsecond) // the last instant of the day
	use()
	clock = now.Add(12 * time.Hour)
	use()
	want := []string{
		"TokenReused/" + first.ID + "/7/2026-11-21", "TokenReused/" + second.ID + "/7/2026-11-21",
		"TokenReused/" + first.ID + "/7/2026-11-22", "TokenReused/" + second.ID + "/7/2026-11-22",
	}
	if got := strings.Join(o.ids(), " "); got != strings.Join(want, " ") {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestGuardsTogetherPublishANoticeOnce: many processes check tokens of one store.
func TestGuardsTogetherPublishANoticeOnce(t *testing.T) {
	s := open(t)
	shown := putRotated(t, s, now.Add(-time.Hour), nil)
	var wg sync.WaitGroup
	for range 8 {
		g := guardAt(s, now)
		for range 4 {
			wg.Go(func() {
				if _, err := g.Check(t.Context(), shown, here); codeOf(t, err) != guard.CodeReplaced {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	ms, err := s.Pending(t.Context(), now.Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	notices := 0
	for _, m := range ms {
		if m.Type == "TokenReused" {
			notices++
		}
	}
	if notices != 1 {
		t.Errorf("the outbox has %d notices, want 1", notices)
	}
}

func TestAFailedNoticeIsCountedAndSentByTheNextUse(t *testing.T) {
	s, o := open(t), &outbox{}
	o.fails.Store(true)
	shown := putRotated(t, s, now.Add(-time.Hour), nil)
	g := guard.New(guard.Config{Views: s, Uses: s, Notices: o, Keys: storetest.Keys, Now: func() time.Time { return now }})
	for n := range 4 {
		o.fails.Store(n < 2)
		if _, err := g.Check(t.Context(), shown, here); codeOf(t, err) != guard.CodeReplaced {
			t.Error(err)
		}
	}
	if got := g.Dropped(); got != (guard.Dropped{Notices: 2}) || len(o.messages) != 3 {
		t.Errorf("got %d notices, %+v dropped; want 3 and 2 of them dropped", len(o.messages), got)
	}
}

// stuckOutbox is an outbox that answers only when the context ends.
type stuckOutbox struct{}

func (stuckOutbox) Notify(ctx context.Context, _ events.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestANoticeDelaysADenialAtMost100ms(t *testing.T) {
	s := open(t)
	shown := putRotated(t, s, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), nil)
	synctest.Test(t, func(t *testing.T) {
		g := guard.New(guard.Config{Views: s, Uses: s, Notices: stuckOutbox{}, Keys: storetest.Keys})
		start := time.Now()
		_, err := g.Check(context.Background(), shown, here)
		if took := time.Since(start); codeOf(t, err) != guard.CodeReplaced || took != 100*time.Millisecond || g.Dropped() != (guard.Dropped{Notices: 1}) {
			t.Errorf("got %v after %s with %+v dropped, want a denial after 100ms with 1 notice dropped", err, took, g.Dropped())
		}
	})
}

func TestACancelledRequestStillPublishesItsNotice(t *testing.T) {
	s := open(t)
	shown := putRotated(t, s, now.Add(-time.Hour), nil)
	ctx, cancel := context.WithCancel(t.Context())
	g := guard.New(guard.Config{Views: hookedViews{s, cancel}, Uses: s, Notices: s, Keys: storetest.Keys, Now: func() time.Time { return now }})
	if _, err := g.Check(ctx, shown, here); codeOf(t, err) != guard.CodeReplaced || g.Dropped().Notices != 0 {
		t.Errorf("got %v with %+v dropped, want a denial and nothing dropped", err, g.Dropped())
	}
}
