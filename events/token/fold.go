package token

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// Fold returns the state after a fact with the time at. It cannot fail, because
// the fact has happened, and does not change its input.
func Fold(s State, f events.Fact, at time.Time) State {
	s.Version++
	switch f := f.(type) {
	case events.TokenCreated:
		s.Owner = f.Owner
		s.Tokens = append(slices.Clip(s.Tokens), viewOf(f, s.Version, at))
		return s.withNote(f.TokenID, Note{MadeWith: f.MadeWith}).counted(f.Creator, at)
	case events.TokenUpdated:
		return s.changed(f.TokenID, func(v *events.View) { update(v, f) }).counted(f.Owner, at)
	case events.TokenDisabled:
		return s.changed(f.TokenID, func(v *events.View) { v.Disabled = true })
	case events.TokenEnabled:
		return s.changed(f.TokenID, func(v *events.View) { v.Disabled = false }).counted(f.Owner, at)
	case events.TokenRotated:
		return rotated(s, f, at).counted(f.Owner, at)
	case events.TokenRevoked:
		return s.without(f.TokenID)
	case events.TokenExpired:
		return s.without(f.TokenID)
	case events.OwnerLimitChanged:
		s.Owner, s.TokenLimit = f.Owner, copyOf(f.TokenLimit)
		return s
	case events.UserSuspended:
		return s.suspended(f.Owner, f.TokenIDs, true)
	case events.UserReinstated:
		return s.suspended(f.Owner, f.TokenIDs, false)
	}
	panic(fmt.Sprintf("token: no rule folds the fact %T", f))
}

// changed returns the state with a changed view. Its Seq is the sequence of the
// fact that is being folded.
func (s State) changed(id string, change func(*events.View)) State {
	i := slices.IndexFunc(s.Tokens, func(v events.View) bool { return v.ID == id })
	if i < 0 {
		panic(fmt.Sprintf("token: a fact changes token %s, but the state does not have this token", id))
	}
	s.Tokens = slices.Clone(s.Tokens)
	change(&s.Tokens[i])
	s.Tokens[i].Seq = s.Version
	return s
}

// update changes a view as the fact says. An outgoing secret never outlives its
// token.
func update(v *events.View, f events.TokenUpdated) {
	if f.Name != nil {
		v.Name = *f.Name
	}
	if f.Description != nil {
		v.Description = *f.Description
	}
	if !f.ExpiresAt.IsZero() || f.NeverExpires {
		v.ExpiresAt = f.ExpiresAt.Time
	}
	if f.Scopes != nil {
		v.Scopes = append([]string(nil), *f.Scopes...)
	}
	if f.SourceIPs != nil {
		v.SourceIPs = append([]netip.Prefix(nil), *f.SourceIPs...)
	}
	if !f.PreviousSecretUntil.IsZero() {
		v.OutgoingUntil = f.PreviousSecretUntil.Time
	}
	if !v.OutgoingUntil.IsZero() {
		v.OutgoingUntil = earlier(v.OutgoingUntil, v.ExpiresAt)
	}
}

func rotated(s State, f events.TokenRotated, at time.Time) State {
	s = s.changed(f.TokenID, func(v *events.View) {
		v.Outgoing, v.OutgoingUntil = v.Verifier, f.PreviousSecretUntil.Time
		v.Verifier, v.Rotated = f.Verifier, s.Version
	})
	if f.Self {
		n := s.Notes[f.TokenID]
		n.SelfRotatedAt = instant.Cut(at)
		s = s.withNote(f.TokenID, n)
	}
	return s
}

func (s State) suspended(owner string, ids []string, suspended bool) State {
	s.Owner, s.Suspended = owner, suspended
	for _, id := range ids {
		s = s.changed(id, func(v *events.View) { v.Suspended = suspended })
	}
	return s
}

func copyOf(n *int) *int {
	if n == nil {
		return nil
	}
	return new(*n)
}

// viewOf is the first view of a token.
func viewOf(f events.TokenCreated, seq uint64, at time.Time) events.View {
	return events.View{
		ID: f.TokenID, Owner: f.Owner, Creator: f.Creator, Name: f.Name, Description: f.Description,
		Verifier: f.Verifier, CreatedAt: instant.Cut(at), ExpiresAt: f.ExpiresAt.Time,
		Scopes: slices.Clone(f.Scopes), SourceIPs: slices.Clone(f.SourceIPs),
		First: seq, Seq: seq,
	}
}

// without returns the state without an ended token. The tokens that the ended
// token made become those of the token that made the ended one, if that token is
// still in the state. It does not change its input.
func (s State) without(id string) State {
	var kept []events.View
	for _, v := range s.Tokens {
		if v.ID != id {
			kept = append(kept, v)
		}
	}
	s.Tokens = kept
	parent := s.Notes[id].MadeWith
	s = s.withNote(id, Note{})
	if _, live := s.Find(parent); !live {
		return s
	}
	for child, n := range s.Notes {
		if n.MadeWith == id {
			n.MadeWith = parent
			s = s.withNote(child, n)
		}
	}
	return s
}

// Effect returns the view changes of facts with the time at. Each view has one
// change, however many facts are about it. The store may remove the view of an
// ended token when the retention has passed since its end; zero is never.
func Effect(before, after State, facts []events.Fact, at time.Time, retention time.Duration) (e events.Effect) {
	s := before
	for _, f := range facts {
		prev := s
		s = Fold(s, f, at)
		switch f := f.(type) {
		case events.TokenCreated:
			e.Minted = append(e.Minted, mustFind(after, f.TokenID))
		case events.TokenRevoked:
			e.Changed = withView(e.Changed, ended(mustFind(prev, f.TokenID), s.Version, events.EndedRevoked, instant.Cut(at), retention))
		case events.TokenExpired:
			e.Changed = withView(e.Changed, ended(mustFind(prev, f.TokenID), s.Version, events.EndedExpired, f.ExpiresAt.Time, retention))
		default:
			for _, id := range changedBy(f) {
				e.Changed = withView(e.Changed, mustFind(s, id))
			}
		}
	}
	return e
}

// changedBy returns the ids of the tokens with views that the fact changes and
// does not end.
func changedBy(f events.Fact) []string {
	switch f := f.(type) {
	case events.TokenUpdated:
		return []string{f.TokenID}
	case events.TokenDisabled:
		return []string{f.TokenID}
	case events.TokenEnabled:
		return []string{f.TokenID}
	case events.TokenRotated:
		return []string{f.TokenID}
	case events.UserSuspended:
		return f.TokenIDs
	case events.UserReinstated:
		return f.TokenIDs
	case events.OwnerLimitChanged:
		return nil
	}
	panic(fmt.Sprintf("token: no rule gives the effect of the fact %T", f))
}

// withView returns the views with this one, in place of an earlier one of the
// same token.
func withView(views []events.View, v events.View) []events.View {
	if i := slices.IndexFunc(views, func(w events.View) bool { return w.ID == v.ID }); i >= 0 {
		views[i] = v
		return views
	}
	return append(views, v)
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
