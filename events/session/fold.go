package session

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// Fold returns the state after a fact with the time at. It cannot fail, because the
// fact has happened, and does not change its input.
func Fold(s State, f events.Fact, at time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.SessionOpened:
		return opened(s, f, at)
	case events.SessionClosed:
		return s.without(f.TokenID)
	case events.UserSuspended:
		s.Owner, s.Suspended = f.Owner, true
		return s
	case events.UserReinstated:
		s.Owner, s.Suspended = f.Owner, false
		return s
	}
	panic(fmt.Sprintf("session: no rule folds the fact %T", f))
}

func opened(s State, f events.SessionOpened, at time.Time) State {
	s.Owner = f.Owner
	s.Sessions = append(slices.Clip(s.Sessions), viewOf(f, s.Version, at))
	if f.Name != "" {
		s.Name = f.Name
	}
	if !s.Hour.Equal(hourOf(at)) {
		s.Hour, s.SignIns, s.Others = hourOf(at), 0, 0
	}
	if isPerson(f.Via) {
		s.SignIns++
	} else {
		s.Others++
	}
	return s
}

// viewOf is the view of a session. The person made it, so the creator is the owner.
func viewOf(f events.SessionOpened, seq uint64, at time.Time) events.View {
	return events.View{
		ID: f.TokenID, Owner: f.Owner, Creator: f.Owner, Name: f.Name,
		Verifier: f.Verifier, CreatedAt: instant.Cut(at), ExpiresAt: f.ExpiresAt.Time,
		Scopes: slices.Clone(f.Scopes), SourceIPs: slices.Clone(f.SourceIPs),
		First: seq, Seq: seq,
		Kind: events.KindSession, Via: f.Via, Permissions: slices.Clone(f.Permissions), MakesUntil: f.MakesUntil.Time, From: f.OpenedWith, Rotated: f.OpenedAfter, UI: f.UI,
	}
}

// without returns the state without an ended session. It does not change its input.
func (s State) without(id string) State {
	s.Sessions = slices.DeleteFunc(slices.Clone(s.Sessions), func(v events.View) bool { return v.ID == id })
	if len(s.Sessions) == 0 {
		s.Sessions = nil
	}
	return s
}

// Effect returns the view changes of facts with the time at. The store may remove the
// view of an ended session when the retention has passed since its end; zero is never.
func Effect(before, after State, facts []events.Fact, at time.Time, retention time.Duration) (e events.Effect) {
	s := before
	for _, f := range facts {
		prev := s
		s = Fold(s, f, at)
		switch f := f.(type) {
		case events.SessionOpened:
			e.Minted = append(e.Minted, mustFind(after, f.TokenID))
		case events.SessionClosed:
			e.Changed = append(e.Changed, ended(mustFind(prev, f.TokenID), f, s.Version, at, retention))
		case events.UserSuspended, events.UserReinstated: // a SessionClosed follows for each session
		default:
			panic(fmt.Sprintf("session: no rule gives the effect of the fact %T", f))
		}
	}
	return e
}

func ended(v events.View, f events.SessionClosed, seq uint64, at time.Time, retention time.Duration) events.View {
	v.Seq, v.Ended, v.EndedAt = seq, events.EndedRevoked, instant.Cut(at)
	if f.Cause == events.CauseExpired {
		v.Ended, v.EndedAt = events.EndedExpired, f.ExpiresAt.Time
	}
	if retention > 0 {
		v.KeepUntil = v.EndedAt.Add(retention)
	}
	return v
}

func mustFind(s State, id string) events.View {
	v, ok := s.Find(id)
	if !ok {
		panic(fmt.Sprintf("session: a fact is about session %s, but the state does not have this session", id))
	}
	return v
}
