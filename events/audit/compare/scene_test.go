package compare_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/events/instant"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const (
	ann events.Stream = "user/ann"
	day               = 24 * time.Hour
)

var keys = storetest.Keys

// memory keeps copies in memory.
type memory struct {
	copies  map[string]events.Message
	damaged map[uint64]bool // sequences of copies that cannot be decoded
}

var _ audit.Reader = (*memory)(nil)

func newMemory(ms ...events.Message) *memory {
	mem := &memory{copies: map[string]events.Message{}, damaged: map[uint64]bool{}}
	for _, m := range ms {
		mem.copies[m.ID] = m
	}
	return mem
}

func (mem *memory) Copy(_ context.Context, stream events.Stream, after uint64, limit int) ([]events.Message, error) {
	all := slices.SortedFunc(maps.Values(mem.copies), func(a, b events.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	var ms []events.Message
	for _, m := range all {
		switch {
		case m.Stream != stream || m.Seq <= after || len(ms) == limit:
		case mem.damaged[m.Seq]:
			return ms, &events.DamagedRecord{Stream: stream, Seq: m.Seq, Reason: context.Canceled}
		default:
			ms = append(ms, m)
		}
	}
	return ms, nil
}

// fakeStore is the store of one stream, which a test may change.
type fakeStore struct {
	head    events.Head
	records []events.Record
	views   map[string]events.View
	state   token.State
	onHead  func() // called after the head was read

	damagedHead    bool
	damagedRecords map[uint64]bool
	damagedViews   map[string]bool
}

func newStore() *fakeStore {
	return &fakeStore{views: map[string]events.View{}, damagedRecords: map[uint64]bool{}, damagedViews: map[string]bool{}}
}

func (s *fakeStore) Head(context.Context, events.Stream) (events.Head, error) {
	h := s.head
	if s.onHead != nil {
		s.onHead()
	}
	if s.damagedHead {
		return events.Head{}, events.ErrDamaged
	}
	return h, nil
}

func (s *fakeStore) History(_ context.Context, _ events.Stream, after uint64, limit int) (rs []events.Record, err error) {
	for _, r := range s.records {
		switch {
		case r.Seq <= after || len(rs) == limit:
		case s.damagedRecords[r.Seq]:
			return rs, &events.DamagedRecord{Stream: ann, Seq: r.Seq, Reason: context.Canceled}
		default:
			rs = append(rs, r)
		}
	}
	return rs, nil
}

func (s *fakeStore) Token(_ context.Context, id string) (events.View, events.Use, error) {
	v, ok := s.views[id]
	switch {
	case s.damagedViews[id]:
		return events.View{}, events.Use{}, &events.DamagedView{TokenID: id, Reason: context.Canceled}
	case !ok:
		return events.View{}, events.Use{}, events.ErrNotFound
	}
	return v, events.Use{}, nil
}

// commit writes facts at a time, as the issuer does.
func (s *fakeStore) commit(t testing.TB, at time.Time, retention time.Duration, facts ...events.Fact) {
	t.Helper()
	before := s.state
	for _, f := range facts {
		s.state = token.Fold(s.state, f, at)
	}
	b, err := token.EncodeState(s.state)
	if err != nil {
		t.Fatal(err)
	}
	m := events.Meta{Command: rand.Text(), Actor: "ann", At: at, Retention: retention}
	c, err := events.NewCommit(keys, ann, s.head, m, facts, token.StateV, b, token.Effect(before, s.state, facts, at, retention))
	if err != nil {
		t.Fatal(err)
	}
	s.head, s.records = c.Head(), append(slices.Clip(s.records), c.Records()...)
	for _, v := range slices.Concat(c.Effect().Minted, c.Effect().Changed) {
		s.views[v.ID] = v
	}
}

// add continues the log by n records, of the given age at noon: of tokens that
// are created and revoked in turn.
func (s *fakeStore) add(t testing.TB, n int, age, retention time.Duration) *fakeStore {
	t.Helper()
	for range n {
		if len(s.state.Tokens) > 0 {
			s.commit(t, noon.Add(-age), retention, events.TokenRevoked{TokenID: s.state.Tokens[0].ID, Owner: "ann", Cause: events.CauseUser})
			continue
		}
		s.commit(t, noon.Add(-age), retention, created(rand.Text()[:8]))
	}
	return s
}

// created has every field of a token.
func created(id string) events.TokenCreated {
	return events.TokenCreated{
		TokenID: id, Owner: "ann", Creator: "bob", Name: "ci", Description: "d", ExpiresAt: instant.Of(noon.Add(day)), Scopes: []string{"GET /"},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Verifier: events.Verifier{Kid: "test", MAC: []byte("secret")},
	}
}

func (s *fakeStore) messages() (ms []events.Message) {
	for _, r := range s.records {
		ms = append(ms, r.Message())
	}
	return ms
}

func comparison(s *fakeStore, mem *memory) compare.Comparison {
	return compare.Comparison{Store: s, Copies: mem, Keys: keys, Now: func() time.Time { return noon }}
}

func report(t *testing.T, c compare.Comparison) compare.Report {
	t.Helper()
	r, err := c.Stream(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func compared(t *testing.T, s *fakeStore, mem *memory) compare.Report {
	t.Helper()
	return report(t, comparison(s, mem))
}

// without returns the comparison of a process that has no peppers.
func without(c compare.Comparison) compare.Comparison {
	c.Keys = events.Keys{}
	return c
}

// ofEvents are the findings that are not about views.
func ofEvents(found []audit.Finding) []audit.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f audit.Finding) bool { return strings.HasPrefix(f.ID, "token/") })
}

func expect(t *testing.T, what string, found []audit.Finding, want ...string) {
	t.Helper()
	var got []string
	for _, f := range found {
		got = append(got, string(f.Kind)+" "+f.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q\n%v", what, got, want, found)
	}
}

func split(text string) []string { return strings.Split(text, ", ") }
