package token

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
)

// Fold is the state after a fact that bears the time at. It never fails, since
// the fact is history, and leaves its input as it was.
func Fold(s State, f events.Fact, at time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.TokenCreated:
		s.Owner = f.Owner
		s.Tokens = append(slices.Clip(s.Tokens), viewOf(f, s.Version, at))
	case events.TokenRevoked:
		s.Tokens = without(s.Tokens, f.TokenID)
	case events.TokenExpired:
		s.Tokens = without(s.Tokens, f.TokenID)
	default:
		panic(fmt.Sprintf("token: no rule folds the fact %T", f))
	}
	return s
}

// viewOf is the view that a token begins with.
func viewOf(f events.TokenCreated, seq uint64, at time.Time) events.View {
	return events.View{
		ID: f.TokenID, Owner: f.Owner, Creator: f.Creator, Name: f.Name, Description: f.Description,
		Verifier: f.Verifier, CreatedAt: utc(at), ExpiresAt: f.ExpiresAt,
		Scopes: slices.Clone(f.Scopes), SourceIPs: slices.Clone(f.SourceIPs),
		First: seq, Seq: seq,
	}
}

// without leaves the input as it was; nil if nothing remains.
func without(views []events.View, id string) (kept []events.View) {
	for _, v := range views {
		if v.ID != id {
			kept = append(kept, v)
		}
	}
	return kept
}

// utc is the time as it comes back from JSON: in UTC and without the reading of
// the monotonic clock, so that a state compares equal to its decoded form.
func utc(t time.Time) time.Time { return t.UTC().Round(0) }

// Effect is what facts that bear the time at mean for the views: after has the
// tokens that began, before has those that ended. An ended token's view may be
// collected when the retention has passed since its end; zero is never.
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
		panic(fmt.Sprintf("token: a fact is about token %s, which the state does not have", id))
	}
	return v
}
