package compare

import (
	"slices"
	"time"

	"apitoken/events"
)

// tokens folds the events of one owner's tokens, or of one owner's sessions, in order,
// into the views that the store must have. Only those that have not ended stay in
// memory.
type tokens struct {
	stream    events.Stream
	owner     string          // "" for a stream without tokens
	state     state           // nil for a stream without tokens
	partial   map[string]bool // unended tokens whose earlier events are missing
	retention retention
	missing   []span // of sequences whose events were not folded, up to state.Version
}

// span is a range of sequences, both included.
type span struct{ from, to uint64 }

// misses reports whether the event with this sequence was not folded.
func (t *tokens) misses(seq uint64) bool {
	return slices.ContainsFunc(t.missing, func(s span) bool { return s.from <= seq && seq <= s.to })
}

// miss notes that the events after the last one, up to a sequence, are not folded.
func (t *tokens) miss(to uint64) {
	if from := t.state.version() + 1; from <= to {
		t.missing, t.state = append(t.missing, span{from, to}), t.state.of(t.owner, to)
	}
}

// version is the sequence of the last event that was folded, 0 for a stream without
// tokens.
func (t *tokens) version() uint64 {
	if t.state == nil {
		return 0
	}
	return t.state.version()
}

func newTokens(s events.Stream) *tokens {
	t := &tokens{stream: s, state: newState(s), partial: map[string]bool{}}
	if owner, ok := s.Owner(); ok {
		t.owner = owner
	}
	return t
}

// expected is a view as the events give it. Its verifier and seal are not known.
type expected struct {
	events.View
	partial  bool // only the owner, the sequence and the end are known
	keepsEnd bool // KeepUntil is known
}

// fold returns the views that an event changes. The state has the version of the
// event afterwards, also after an event that is not about tokens.
func (t *tokens) fold(m events.Message) (changed []expected, err error) {
	if t.owner == "" {
		return nil, nil
	}
	t.miss(m.Seq - 1)
	keep, known := t.retention.of(m)
	f, err := t.factOf(m)
	if err != nil {
		t.miss(m.Seq)
		return nil, err
	}
	after, effect := t.before(m).fold(f, m.Time, keep)
	t.state = after
	for _, v := range slices.Concat(effect.Minted, effect.Changed) {
		changed = append(changed, expected{View: v, partial: t.partial[v.ID], keepsEnd: known})
		if v.Ended != "" {
			delete(t.partial, v.ID)
		}
	}
	return changed, nil
}

// before is the state before an event. It has the token of the event, because the
// rules need it, even if the events that created the token are missing or if the
// token has ended: an operator may end a token again that was put back.
func (t *tokens) before(m events.Message) state {
	s := t.state.of(t.owner, m.Seq-1)
	if _, ok := s.Find(m.Subject); ok || m.Subject == "" || opens(m) {
		return s
	}
	t.partial[m.Subject] = true
	return s.putBack(m.Subject, t.owner)
}

// factOf decodes the fact of an event. An event has no private part. A fact of
// another kind of stream is an error, because the rules of tokens cannot fold it.
func (t *tokens) factOf(m events.Message) (events.Fact, error) {
	return events.Decode(events.Record{Stream: t.stream, Seq: m.Seq, Type: m.Type, V: m.V, At: m.Time, Public: m.Data, Private: []byte("{}")})
}

// retention finds the retention that the settings had when a record was written.
// It follows from the record's KeepUntil, except if the retention became shorter
// or was "for ever" before: KeepUntil never moves back.
type retention struct {
	last events.Message // the event before
	base events.Message // the last event of the commit before; zero: there is none
	lost bool           // an event before the commit is missing
}

// of returns the retention of the commit with the event, and whether it is known.
func (r *retention) of(m events.Message) (time.Duration, bool) {
	if m.Command != r.last.Command || r.last.Seq == 0 {
		r.base, r.lost = r.last, m.Seq != r.last.Seq+1
	}
	r.last = m
	switch first := r.base.Seq == 0; {
	case r.lost:
		return 0, false
	case m.KeepUntil.IsZero():
		return 0, first || !r.base.KeepUntil.IsZero()
	default:
		return m.KeepUntil.Sub(m.Time), first || r.base.KeepUntil.Before(m.KeepUntil)
	}
}
