package token

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
)

// Fold returns the state after a fact with the time at. It cannot fail, because
// the fact has happened, and does not change its input.
func Fold(s State, f events.Fact, at time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.TokenCreated:
		s.Owner = f.Owner
		s.Tokens = append(slices.Clip(s.Tokens), viewOf(f, s.Version, at))
		s = s.counted(f.Creator, at)
	case events.TokenRevoked:
		s.Tokens = without(s.Tokens, f.TokenID)
	case events.TokenExpired:
		s.Tokens = without(s.Tokens, f.TokenID)
	default:
		panic(fmt.Sprintf("token: no rule folds the fact %T", f))
	}
	return s
}

// viewOf is the first view of a token.
func viewOf(f events.TokenCreated, seq uint64, at time.Time) events.View {
	return events.View{
		ID: f.TokenID, Owner: f.Owner, Creator: f.Creator, Name: f.Name, Description: f.Description,
		Verifier: f.Verifier, CreatedAt: utc(at), ExpiresAt: f.ExpiresAt,
		Scopes: slices.Clone(f.Scopes), SourceIPs: slices.Clone(f.SourceIPs),
		First: seq, Seq: seq,
	}
}

// without returns the views except the one with the id, nil if none is left. It
// does not change its input.
func without(views []events.View, id string) (kept []events.View) {
	for _, v := range views {
		if v.ID != id {
			kept = append(kept, v)
		}
	}
	return kept
}

// utc is the time as JSON decodes it: in UTC, and without the monotonic clock.
// So a state is equal to its decoded form.
func utc(t time.Time) time.Time { return t.UTC().Round(0) }

// Effect returns the view changes of facts with the time at. New tokens are in
// the state after, ended tokens in the state before. The store may remove the
// view of an ended token when the retention has passed since its end; zero is
// never.
func Effect(before, after State, facts []events.Fact, at time.Time, retention time.Duration) (e events.Effect) {
	for i, f := range facts {
		seq := before.Version + uint64(i) + 1
		switch f := f.(type) {
		case events.TokenCreated:
			e.Minted = append(e.Minted, mustFind(after, f.TokenID))
		case events.TokenRevoked:
			e.Changed = append(e.Changed, ended(mustFind(before, f.TokenID), seq, events.EndedRevoked, utc(at), retention))
		case events.TokenExpired:
			e.Changed = append(e.Changed, ended(mustFind(before, f.TokenID), seq, events.EndedExpired, f.ExpiresAt, retention))
		default:
			panic(fmt.Sprintf("token: no rule gives the effect of the fact %T", f))
		}
	}
	return e
}

func ended(v events.View, seq uint64, how events.Ending, at time.Time, retention time.Duration) events.View {
	v.Seq, v.Ended, v.EndedAt = seq, how, at
	if retention > 0 {
		v.KeepUntil = at.Add(retention)
	}
	return v
}

func mustFind(s State, id string) events.View {
	v, ok := s.Find(id)
	if !ok {
		panic(fmt.Sprintf("token: a fact is about token %s, but the state does not have this token", id))
	}
	return v
}
