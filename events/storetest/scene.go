package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// Keys are fixed peppers, for tests only.
var Keys = func() events.Keys {
	k, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		panic(err)
	}
	return k
}()

// scene is one stream of a store, with an owner that only this scene uses.
type scene struct {
	testing.TB
	events.Store
	ctx   context.Context
	owner string
	now   time.Time

	sessions bool // the stream is that of the owner's sessions
}

func newScene(t testing.TB, s events.Store) *scene {
	return &scene{TB: t, Store: s, ctx: t.Context(), owner: "ann-" + rand.Text(), now: instant.Cut(time.Now())}
}

// other returns the scene of another owner in the same store.
func (x *scene) other() *scene {
	y := *x
	y.owner = "bob-" + rand.Text()
	return &y
}

func (x *scene) stream() events.Stream {
	if x.sessions {
		return events.SessionStream(x.owner)
	}
	return events.UserStream(x.owner)
}

// ofSessions returns the scene of the same owner's sessions.
func (x *scene) ofSessions() *scene {
	y := *x
	y.sessions = true
	return &y
}

func newID() string { return rand.Text()[:8] }

// view returns a token of the owner with a value in every field.
func (x *scene) view() events.View {
	return events.View{
		ID: newID(), Owner: x.owner, Creator: "ACTIVE_DIRECTORY:boss", Name: "déploiement ✓", Description: "line one",
		Verifier:  events.Verifier{Kid: "k1", MAC: []byte("0123456789abcdef0123456789abcdef")},
		CreatedAt: x.now.Add(-time.Hour), ExpiresAt: x.now.Truncate(time.Millisecond).Add(time.Hour + 7*time.Microsecond),
		Disabled: true, Scopes: []string{"GET /v1/*", "* /files/ü"},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		First:     1, Seq: 7,
		Suspended: true, Outgoing: events.Verifier{Kid: "k0", MAC: []byte("an outgoing verifier of 32 bytes")},
		OutgoingUntil: x.now.Add(time.Minute), Rotated: 6,
	}
}

// plain returns a live token that was created at the given time.
func (x *scene) plain(at time.Time) events.View {
	return events.View{ID: newID(), Owner: x.owner, Creator: x.owner, Name: "n", CreatedAt: at, First: 1, Seq: 1}
}

// newCommit builds a commit on base. Its facts are about the tokens of the
// effect. Without such tokens the fact is about a token without a view.
func (x *scene) newCommit(base events.Head, e events.Effect) events.Commit {
	x.Helper()
	if x.sessions {
		return x.newCommitOf(base, sessionFacts(e), []byte("sessions of "+x.owner), e)
	}
	var facts []events.Fact
	for _, v := range e.Minted {
		facts = append(facts, events.TokenCreated{TokenID: v.ID, Owner: v.Owner, Creator: v.Creator, Name: v.Name, Verifier: v.Verifier})
	}
	for _, v := range e.Changed {
		facts = append(facts, events.TokenRevoked{TokenID: v.ID, Owner: v.Owner})
	}
	if len(facts) == 0 {
		facts = []events.Fact{events.TokenRevoked{TokenID: newID(), Owner: x.owner}}
	}
	return x.newCommitOf(base, facts, []byte("state of "+x.owner), e)
}

func (x *scene) newCommitOf(base events.Head, facts []events.Fact, state []byte, e events.Effect) events.Commit {
	x.Helper()
	m := events.Meta{
		Command: rand.Text(), Actor: x.owner, TokenID: "JhxND7ci", Address: "192.0.2.1", At: x.now, Retention: 400 * 24 * time.Hour,
		ActorVia: events.ViaUI, ActorAddress: "203.0.113.9",
	}
	c, err := events.NewCommit(Keys, x.stream(), base, m, facts, 3, state, e)
	if err != nil {
		x.Fatalf("building a commit: %v", err)
	}
	return c
}

// write commits the effect on the stream's present head.
func (x *scene) write(e events.Effect) events.Commit {
	x.Helper()
	c := x.newCommit(x.head(), e)
	x.commit(c)
	return c
}

func (x *scene) commit(c events.Commit) {
	x.Helper()
	if err := x.Commit(x.ctx, c); err != nil {
		x.Fatalf("Commit to %s at %d: %v", c.Stream(), c.Base(), err)
	}
}

func (x *scene) head() events.Head {
	x.Helper()
	h, err := x.Head(x.ctx, x.stream())
	if err != nil {
		x.Fatalf("Head of %s: %v", x.stream(), err)
	}
	return h
}

// history reads the whole stream in pages of the given size.
func (x *scene) history(page int) (all []events.Record) {
	x.Helper()
	for {
		var after uint64
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		rs, err := x.History(x.ctx, x.stream(), after, page)
		if err != nil {
			x.Fatalf("History of %s after %d: %v", x.stream(), after, err)
		}
		if len(rs) > page {
			x.Fatalf("History returned %d records, want at most %d", len(rs), page)
		}
		all = append(all, rs...)
		if len(rs) < page {
			return all
		}
	}
}

// token returns a view without its seal, after a check of the seal.
func (x *scene) token(id string) (events.View, events.Use) {
	x.Helper()
	v, u, err := x.Token(x.ctx, id)
	if err != nil {
		x.Fatalf("Token %s: %v", id, err)
	}
	return x.unsealed(v), u
}

func (x *scene) unsealed(v events.View) events.View {
	x.Helper()
	if err := v.Check(Keys); err != nil {
		x.Errorf("the seal of a view that was read back: %v", err)
	}
	v.Seal, v.VerifierDigest = events.Verifier{}, events.Hash{}
	return v
}

// pending returns this stream's messages in the outbox, and the named notices.
func (x *scene) pending(notices ...string) (ms []events.Message) {
	x.Helper()
	all, err := x.Pending(x.ctx, x.now.Add(24*time.Hour), 1_000_000)
	if err != nil {
		x.Fatalf("Pending: %v", err)
	}
	for _, m := range all {
		if m.Stream == x.stream() || slices.Contains(notices, m.ID) {
			ms = append(ms, m)
		}
	}
	return ms
}

// list reads all pages of a query and returns the views of these owners.
func (x *scene) list(q events.Query, owners ...string) (vs []events.View) {
	x.Helper()
	for {
		p, err := x.Tokens(x.ctx, q)
		if err != nil {
			x.Fatalf("Tokens: %v", err)
		}
		if len(p.Damaged) > 0 {
			x.Fatalf("Tokens could not decode %v", p.Damaged)
		}
		if len(p.Views) > q.Limit {
			x.Fatalf("Tokens returned %d views, want at most %d", len(p.Views), q.Limit)
		}
		for _, v := range p.Views {
			if slices.Contains(owners, v.Owner) {
				vs = append(vs, x.unsealed(v))
			}
		}
		if !p.More {
			return vs
		}
		if p.Next.Compare(q.After) <= 0 {
			x.Fatalf("Tokens: the next page starts at %v, which is not after %v", p.Next, q.After)
		}
		q.After = p.Next
	}
}

// maxLag is how long a check waits until a write is visible in a port that may
// lag, such as a list. The suite's own tests shorten maxLag.
var maxLag = time.Minute

// eventually repeats ask until the answer is the wanted one, for maxLag at most.
func eventually[V any](x *scene, what string, want V, ask func() V) {
	x.Helper()
	deadline := time.Now().Add(maxLag)
	pause := time.Millisecond
	for {
		got := ask()
		if same(got, want) {
			return
		}
		if time.Now().After(deadline) {
			x.Fatalf("%s: still\n%s\nwant\n%s", what, show(got), show(want))
		}
		time.Sleep(pause)
		pause = min(2*pause, 200*time.Millisecond)
	}
}

func equal[V any](x *scene, what string, got, want V) {
	x.Helper()
	if !same(got, want) {
		x.Fatalf("%s: got\n%s\nwant\n%s", what, show(got), show(want))
	}
}

// same reports whether a and b are deeply equal. Times are the same only in the
// same zone. An empty list is the same as none, because both mean the same.
func same(a, b any) bool { return reflect.DeepEqual(a, b) || show(a) == show(b) }

func show(v any) string {
	var b strings.Builder
	showValue(&b, reflect.ValueOf(v))
	return b.String()
}

func showValue(b *strings.Builder, v reflect.Value) {
	if v.IsValid() && v.CanInterface() {
		switch s := v.Interface().(type) {
		case time.Time:
			fmt.Fprintf(b, "%s %s", s.Format(time.RFC3339Nano), s.Location())
			return
		case netip.Prefix, events.Hash:
			fmt.Fprintf(b, "%v", s)
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		b.WriteString("{")
		for i := range v.NumField() {
			fmt.Fprintf(b, " %s:", v.Type().Field(i).Name)
			showValue(b, v.Field(i))
		}
		b.WriteString(" }")
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(b, "%q", v.Bytes())
			return
		}
		b.WriteString("[")
		for i := range v.Len() {
			b.WriteString("\n ")
			showValue(b, v.Index(i))
		}
		b.WriteString("]")
	default:
		fmt.Fprintf(b, "%#v", v)
	}
}
