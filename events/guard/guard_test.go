package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/infra/bolt/bolttest"
)

var (
	now  = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	here = netip.MustParseAddr("10.1.2.3")
)

// countingStore counts the guard's reads of tokens and writes of last uses.
type countingStore struct {
	events.Store
	reads, touches atomic.Int64
}

func (c *countingStore) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	c.reads.Add(1)
	return c.Store.Token(ctx, id)
}

func (c *countingStore) Touch(ctx context.Context, id string, u events.Use) error {
	c.touches.Add(1)
	return c.Store.Touch(ctx, id, u)
}

func open(t testing.TB) *countingStore {
	t.Helper()
	return &countingStore{Store: bolttest.Open(t)}
}

func guardAt(s events.Store, at time.Time) *guard.Guard {
	return guard.New(guard.Config{Views: s, Uses: s, Notices: s, Keys: storetest.Keys, Now: func() time.Time { return at }})
}

// put stores a token of ann, after the change of its view, and returns the token.
func put(t testing.TB, s events.Store, change func(*events.View)) secret.Token {
	t.Helper()
	minted := secret.Mint("")
	verifier, err := secret.NewVerifier(storetest.Keys, minted, "ann")
	if err != nil {
		t.Fatal(err)
	}
	v := events.View{ID: minted.ID, Owner: "ann", Creator: "ann", Verifier: verifier, CreatedAt: now.Add(-time.Hour), First: 1, Seq: 1}
	if change != nil {
		change(&v)
	}
	stream := events.UserStream("ann")
	head, err := s.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	meta := events.Meta{Command: minted.ID, Actor: "ann", At: v.CreatedAt}
	facts := []events.Fact{events.TokenCreated{TokenID: v.ID, Owner: "ann", Creator: "ann"}}
	c, err := events.NewCommit(storetest.Keys, stream, head, meta, facts, 1, []byte("{}"), events.Effect{Minted: []events.View{v}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return minted
}

// withWrongSecret returns a token with the same id and another secret.
func withWrongSecret(t testing.TB, of secret.Token) secret.Token {
	t.Helper()
	wrong := secret.Mint("")
	wrong.ID = of.ID // the checksum is wrong now; Parse checks it, the guard does not
	return wrong
}

func codeOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	d, ok := errors.AsType[*guard.Denial](err)
	if !ok {
		t.Fatalf("got the fault %v, want a denial", err)
	}
	return d.Code
}

// TestCheckReturnsTheDenialForEachState has a row for each denial, and shows that a
// caller without the secret learns none of them.
func TestCheckReturnsTheDenialForEachState(t *testing.T) {
	prefixes := func(texts ...string) (ps []netip.Prefix) {
		for _, text := range texts {
			ps = append(ps, netip.MustParsePrefix(text))
		}
		return ps
	}
	ended := func(how events.Ending, keep time.Time) func(*events.View) {
		return func(v *events.View) { v.Ended, v.EndedAt, v.KeepUntil = how, now.Add(-time.Minute), keep }
	}
	for name, test := range map[string]struct {
		change func(*events.View)
		source netip.Addr
		want   string
	}{
		"active":                      {nil, here, ""},
		"active, source unknown":      {nil, netip.Addr{}, ""},
		"not yet expired":             {func(v *events.View) { v.ExpiresAt = now.Add(time.Microsecond) }, here, ""},
		"expires at this instant":     {func(v *events.View) { v.ExpiresAt = now }, here, guard.CodeExpired},
		"expired a microsecond ago":   {func(v *events.View) { v.ExpiresAt = now.Add(-time.Microsecond) }, here, guard.CodeExpired},
		"ended as expired":            {ended(events.EndedExpired, now.Add(time.Microsecond)), here, guard.CodeExpired},
		"revoked":                     {ended(events.EndedRevoked, now.Add(time.Microsecond)), here, guard.CodeRevoked},
		"revoked, kept forever":       {ended(events.EndedRevoked, time.Time{}), here, guard.CodeRevoked},
		"revoked, past its retention": {ended(events.EndedRevoked, now), here, guard.CodeInvalid},
		"disabled":                    {func(v *events.View) { v.Disabled = true }, here, guard.CodeDisabled},
		"suspended":                   {func(v *events.View) { v.Suspended = true }, here, guard.CodeSuspended},
		"suspended and disabled":      {func(v *events.View) { v.Suspended, v.Disabled = true, true }, here, guard.CodeSuspended},
		"suspended and expired":       {func(v *events.View) { v.Suspended, v.ExpiresAt = true, now }, here, guard.CodeExpired},
		"disabled and expired":        {func(v *events.View) { v.Disabled, v.ExpiresAt = true, now }, here, guard.CodeExpired},
		"in its range":                {func(v *events.View) { v.SourceIPs = prefixes("192.0.2.0/24", "10.1.2.0/24") }, here, ""},
		"outside its range":           {func(v *events.View) { v.SourceIPs = prefixes("10.1.3.0/24") }, here, guard.CodeWrongSource},
		"range, source unknown":       {func(v *events.View) { v.SourceIPs = prefixes("0.0.0.0/0", "::/0") }, netip.Addr{}, guard.CodeWrongSource},
		"IPv4 within IPv6":            {func(v *events.View) { v.SourceIPs = prefixes("10.1.2.0/24") }, netip.MustParseAddr("::ffff:10.1.2.3"), ""},
		"address with a zone":         {func(v *events.View) { v.SourceIPs = prefixes("fe80::/10") }, netip.MustParseAddr("fe80::1%eth0"), ""},
		"revoked and outside its range": {func(v *events.View) {
			ended(events.EndedRevoked, now.Add(time.Microsecond))(v)
			v.SourceIPs = prefixes("192.0.2.0/24")
		}, here, guard.CodeRevoked},
		"verifier of another owner": {func(v *events.View) { v.Owner = "bob" }, here, guard.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			shown := put(t, s, test.change)
			g := guardAt(s, now)
			p, err := g.Check(t.Context(), shown, test.source)
			if got := codeOf(t, err); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if known := test.want != guard.CodeInvalid; known && (p.Owner != "ann" || p.TokenID != shown.ID) {
				t.Errorf("got principal %s with token %s, want ann with %s, also for a refused token", p.Owner, p.TokenID, shown.ID)
			} else if !known && (p.Owner != "" || p.TokenID != "") {
				t.Errorf("got principal %+v, want none for a token that is not valid", p)
			}
			p, err = g.Check(t.Context(), withWrongSecret(t, shown), test.source)
			if codeOf(t, err) != guard.CodeInvalid || p.Owner != "" || p.TokenID != "" {
				t.Errorf("a wrong secret got %q and %+v, want %q and no principal", codeOf(t, err), p, guard.CodeInvalid)
			}
			if got := s.reads.Load(); got != 2 {
				t.Errorf("two checks took %d reads, want one each", got)
			}
		})
	}
}

// TestTheOutgoingSecretPassesUntilItsEnd: after a rotation the token has another
// verifier, and the one of the shown secret is the outgoing one.
func TestTheOutgoingSecretPassesUntilItsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*events.View)
		want   string
	}{
		"a microsecond before its end": {func(v *events.View) { v.OutgoingUntil = now.Add(time.Microsecond) }, ""},
		"at its end":                   {func(v *events.View) { v.OutgoingUntil = now }, guard.CodeReplaced},
		"a day later":                  {func(v *events.View) { v.OutgoingUntil = now.Add(-24 * time.Hour) }, guard.CodeReplaced},
		"of a disabled token":          {func(v *events.View) { v.OutgoingUntil, v.Disabled = now.Add(time.Hour), true }, guard.CodeDisabled},
		"of a suspended owner":         {func(v *events.View) { v.OutgoingUntil, v.Suspended = now.Add(time.Hour), true }, guard.CodeSuspended},
		"of an expired token":          {func(v *events.View) { v.OutgoingUntil, v.ExpiresAt = now, now }, guard.CodeExpired},
		"of a revoked token":           {func(v *events.View) { v.Ended, v.EndedAt = events.EndedRevoked, now }, guard.CodeRevoked},
		"from another address": {func(v *events.View) {
			v.OutgoingUntil, v.SourceIPs = now.Add(time.Hour), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, guard.CodeWrongSource},
		"without a rotation": {func(v *events.View) { v.OutgoingUntil, v.Rotated = now.Add(time.Hour), 0 }, guard.CodeInvalid},
		"of another owner":   {func(v *events.View) { v.OutgoingUntil, v.Owner = now.Add(time.Hour), "bob" }, guard.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			shown := put(t, s, func(v *events.View) {
				v.Outgoing, v.Rotated = v.Verifier, 1
				v.Verifier = events.Verifier{Kid: v.Verifier.Kid, MAC: make([]byte, 32)}
				test.change(v)
			})
			i, err := guardAt(s, now).Inspect(t.Context(), shown, here)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if i.Denial != nil {
				got = i.Denial.Code
			}
			if got != test.want || i.Outgoing != (test.want != guard.CodeInvalid) || i.Outgoing && i.View.ID != shown.ID {
				t.Errorf("got %q, outgoing %v, token %q; want %q", got, i.Outgoing, i.View.ID, test.want)
			}
			if p := i.Principal(); got == "" && (p.Credential != guard.CredentialOutgoing || !p.ExpiresAt.Equal(i.View.OutgoingUntil)) {
				t.Errorf("the principal is %+v, want the outgoing credential and its end", p)
			}
			if _, err := guardAt(s, now).Check(t.Context(), withWrongSecret(t, shown), here); codeOf(t, err) != guard.CodeInvalid {
				t.Errorf("a wrong secret: got %v, want %s", err, guard.CodeInvalid)
			}
		})
	}
}

func TestUnknownTokenAndWrongSecretGetTheSameBytes(t *testing.T) {
	s := open(t)
	g := guardAt(s, now)
	_, unknown := g.Check(t.Context(), secret.Mint(""), here)
	_, wrong := g.Check(t.Context(), withWrongSecret(t, put(t, s, nil)), here)
	a, _ := json.Marshal(unknown)
	b, _ := json.Marshal(wrong)
	if codeOf(t, unknown) != guard.CodeInvalid || string(a) != string(b) || unknown.Error() != wrong.Error() {
		t.Errorf("unknown: %s, wrong secret: %s; want both the same %s", a, b, guard.CodeInvalid)
	}
}

func TestPrincipalHasTheLimitsOfTheToken(t *testing.T) {
	s := open(t)
	expires := now.Add(time.Microsecond)
	shown := put(t, s, func(v *events.View) {
		v.Scopes = []string{"GET /v1/*"}
		v.SourceIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		v.ExpiresAt = expires
	})
	p, err := guardAt(s, now).Check(t.Context(), shown, netip.MustParseAddr("::ffff:10.1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Scopes) != 1 || p.Scopes[0] != "GET /v1/*" || len(p.SourceIPs) != 1 || !p.ExpiresAt.Equal(expires) || p.Address != here {
		t.Errorf("got %+v, want scopes, ranges and expiry of the token and address %s", p, here)
	}
	back, ok := guard.PrincipalFrom(guard.WithPrincipal(t.Context(), p))
	if !ok || back.TokenID != p.TokenID {
		t.Errorf("the context gave %+v %v, want the principal", back, ok)
	}
	if p, ok := guard.PrincipalFrom(t.Context()); ok {
		t.Errorf("a context without a principal gave %+v", p)
	}
}

// TestFaultIsNoDenial: an outage must never look like a bad token.
func TestFaultIsNoDenial(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	other, err := events.ParseKeys("other:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(s, storetest.Once(storetest.OpToken, storetest.Unapplied))
	for name, test := range map[string]struct {
		config guard.Config
		want   error
	}{
		"store fault": {guard.Config{Views: faulty, Uses: faulty, Notices: faulty, Keys: storetest.Keys}, storetest.ErrFault},
		"unknown kid": {guard.Config{Views: s, Uses: s, Notices: s, Keys: other}, events.ErrUnknownKid},
	} {
		_, err := guard.New(test.config).Check(t.Context(), shown, here)
		_, denied := errors.AsType[*guard.Denial](err)
		if !errors.Is(err, test.want) || denied {
			t.Errorf("%s: got %v, want a fault that wraps %v", name, err, test.want)
		}
		if strings.Contains(err.Error(), shown.Secret.Reveal()) {
			t.Errorf("%s: the fault holds the secret", name)
		}
	}
}

// TestExpiryIsCheckedAfterTheRead: a slow read must not prolong a token's life.
func TestExpiryIsCheckedAfterTheRead(t *testing.T) {
	s := open(t)
	shown := put(t, s, func(v *events.View) { v.ExpiresAt = now.Add(time.Second) })
	clock := now
	slow := hookedViews{s, func() { clock = now.Add(time.Second) }}
	g := guard.New(guard.Config{Views: slow, Uses: s, Notices: s, Keys: storetest.Keys, Now: func() time.Time { return clock }})
	if _, err := g.Check(t.Context(), shown, here); codeOf(t, err) != guard.CodeExpired {
		t.Errorf("got %q, want %q", codeOf(t, err), guard.CodeExpired)
	}
}

// hookedViews calls afterRead before a read returns.
type hookedViews struct {
	events.Views
	afterRead func()
}

func (s hookedViews) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	v, u, err := s.Views.Token(ctx, id)
	s.afterRead()
	return v, u, err
}

// TestPrincipalHasTheIDOfTheShownToken, which the verifier covers, even if the
// stored view has another id.
func TestPrincipalHasTheIDOfTheShownToken(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	v, _, err := s.Token(t.Context(), shown.ID)
	if err != nil {
		t.Fatal(err)
	}
	v.ID = "00000000"
	g := guard.New(guard.Config{Views: fixed{view: v}, Uses: s, Notices: s, Keys: storetest.Keys, Now: func() time.Time { return now }})
	if p, err := g.Check(t.Context(), shown, here); err != nil || p.TokenID != shown.ID {
		t.Errorf("got token %s %v, want %s", p.TokenID, err, shown.ID)
	}
}

func TestLastUseIsStoredEvery15Minutes(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{
		{0, 1}, {time.Second, 1}, {events.TouchEvery - 1, 1}, {events.TouchEvery, 2}, {events.TouchEvery, 2}, {-time.Hour, 2},
	} {
		if _, err := guardAt(s, now.Add(step.after)).Check(t.Context(), shown, here); err != nil {
			t.Fatal(err)
		}
		if got := s.touches.Load(); got != step.want {
			t.Errorf("after %s: %d uses were stored, want %d", step.after, got, step.want)
		}
		put(t, s, nil) // the store writes the uses before this commit
	}
	uses, err := s.LastUses(t.Context(), []string{shown.ID})
	want := events.Use{At: now.Add(events.TouchEvery), Address: here.String()}
	if got := uses[shown.ID]; err != nil || !got.At.Equal(want.At) || got.Address != want.Address {
		t.Errorf("stored %v %v, want %v", got, err, want)
	}
}

func TestDeniedTokensGetNoUse(t *testing.T) {
	s := open(t)
	g := guardAt(s, now)
	shown := put(t, s, func(v *events.View) { v.Disabled = true })
	for _, denied := range []secret.Token{shown, withWrongSecret(t, shown), secret.Mint("")} {
		if _, err := g.Check(t.Context(), denied, here); err == nil {
			t.Error("got no denial")
		}
	}
	if got := s.touches.Load(); got != 0 {
		t.Errorf("%d uses were stored, want none", got)
	}
}

func TestFailedUseIsCountedAndDropped(t *testing.T) {
	s := open(t)
	faulty := storetest.NewFaulty(s, storetest.Once(storetest.OpTouch, storetest.Unapplied))
	shown := put(t, s, nil)
	g := guardAt(faulty, now)
	for range 2 {
		if _, err := g.Check(t.Context(), shown, here); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.Dropped(); got != (guard.Dropped{Uses: 1}) {
		t.Errorf("dropped %+v, want the first use", got)
	}
}

// TestDroppedUsesAreWarnedAboutOnceAMinute: a store that does not answer fails each
// request in the same way. Damaged data is an error each time.
func TestDroppedUsesAreWarnedAboutOnceAMinute(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	var out bytes.Buffer
	clock, uses := now, &failingUses{err: storetest.ErrFault}
	g := guard.New(guard.Config{
		Views: s, Uses: uses, Notices: s, Keys: storetest.Keys, Now: func() time.Time { return clock },
		Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	for _, step := range []struct {
		after time.Duration
		err   error
		want  string
	}{
		{0, storetest.ErrFault, "WARN"}, {time.Second, storetest.ErrFault, "DEBUG"}, {59 * time.Second, storetest.ErrFault, "DEBUG"},
		{time.Minute, storetest.ErrFault, "WARN"}, {61 * time.Second, storetest.ErrFault, "DEBUG"}, {62 * time.Second, events.ErrDamaged, "ERROR"},
	} {
		out.Reset()
		clock, uses.err = now.Add(step.after), step.err
		if _, err := g.Check(t.Context(), shown, here); err != nil {
			t.Fatal(err)
		}
		line := out.String()
		if !strings.Contains(line, "level="+step.want) || !strings.Contains(line, "token_id="+shown.ID) || strings.Contains(line, shown.Secret.Reveal()) {
			t.Errorf("after %s: got %q, want a line of level %s with the token id", step.after, line, step.want)
		}
	}
}

// failingUses is a store in which Touch fails.
type failingUses struct {
	events.Uses
	err error
}

func (f *failingUses) Touch(context.Context, string, events.Use) error { return f.err }

// stuck is a store in which Touch returns only when its context ends.
type stuck struct{ events.Uses }

func (stuck) Touch(ctx context.Context, _ string, _ events.Use) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestStoringAUseDelaysACheckAtMost100ms(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	synctest.Test(t, func(t *testing.T) {
		g := guard.New(guard.Config{Views: s, Uses: stuck{}, Notices: s, Keys: storetest.Keys})
		start := time.Now()
		_, err := g.Check(context.Background(), shown, here)
		if took := time.Since(start); err != nil || took != 100*time.Millisecond || g.Dropped().Uses != 1 {
			t.Errorf("got %v after %s with %+v dropped, want a principal after 100ms with 1 dropped", err, took, g.Dropped())
		}
	})
}

func TestCancelledRequestStillStoresItsUse(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	g := guard.New(guard.Config{Views: hookedViews{s, cancel}, Uses: s, Notices: s, Keys: storetest.Keys})
	if _, err := g.Check(ctx, shown, here); err != nil || g.Dropped().Uses != 0 || s.touches.Load() != 1 {
		t.Errorf("got %v, %+v dropped, %d stored; want a principal and one stored use", err, g.Dropped(), s.touches.Load())
	}
}
