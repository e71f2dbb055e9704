package token

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events"
)

// Past computes the view that a token had at an earlier instant. It begins with the
// view of today and folds the records about the token, the oldest first. If the
// first record is the creation of the token, the view is known for every instant
// since then. If older records are missing, a record says what a member became, and
// not what the member was before; From says since when all members are known.
type Past struct {
	at      time.Time
	view    events.View // of today, then as the records up to the instant left it
	rotated bool        // the view of today has an outgoing secret
	values  [pastValues]pastValue
	seen    [pastFlags]bool // a record about the flag was added
}

// pastValue says which records are about one member of a view.
type pastValue struct {
	set     time.Time // of the first record that says the whole value; zero: there is none
	touched time.Time // of the last record that may change the value; zero: there is none
}

// The members of a view with many possible values.
const (
	pastName = iota
	pastDescription
	pastExpiry
	pastScopes
	pastSourceIPs
	pastOutgoing
	pastValues
)

// The members of a view with two values. The rules record only a change of them,
// so the first record also says what the value was before.
const (
	pastDisabled = iota
	pastSuspended
	pastEnded
	pastFlags
)

// NewPast returns the past of a token at an instant, without any record. today is
// the newest view of the token.
func NewPast(today events.View, at time.Time) *Past {
	today.Seal = events.Verifier{}
	return &Past{at: at, view: today, rotated: !today.OutgoingUntil.IsZero()}
}

// Add adds a record of the owner's stream with its sequence and time. The records
// must come in their order, up to the last one that changed the view of today. Add
// ignores a fact about other tokens.
func (p *Past) Add(f events.Fact, seq uint64, at time.Time) {
	f, about := factAbout(f, p.view.ID)
	if !about {
		return
	}
	p.note(f, at)
	if at.After(p.at) {
		return
	}
	before := State{Owner: p.view.Owner, Version: seq - 1}
	if _, created := f.(events.TokenCreated); !created {
		v := p.view
		v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{} // a token that was put back ends a second time
		before = PutBack(before, v)
	}
	e := Effect(before, Fold(before, f, at), []events.Fact{f}, at, 0)
	for _, v := range append(e.Minted, e.Changed...) {
		p.view = v
	}
}

// View returns the view at the instant. It is right if the instant is neither
// before From nor before the first record that was added.
func (p *Past) View() events.View { return p.view }

// From returns the first instant for which the records say every member of the
// view. It is zero if no record was about the token.
func (p *Past) From() (from time.Time) {
	for _, v := range p.values {
		known := v.touched
		if !v.set.IsZero() {
			known = v.set
		}
		if known.After(from) {
			from = known
		}
	}
	return from
}

// note notes what a fact says about the members.
func (p *Past) note(f events.Fact, at time.Time) {
	switch f := f.(type) {
	case events.TokenCreated:
		for i := range p.values {
			p.values[i].say(at)
		}
		p.seen = [pastFlags]bool{true, true, true}
	case events.TokenUpdated:
		p.noteUpdate(f, at)
	case events.TokenRotated:
		p.values[pastOutgoing].say(at)
	case events.TokenDisabled:
		p.flag(pastDisabled, func(v *events.View) { v.Disabled = false })
	case events.TokenEnabled:
		p.flag(pastDisabled, func(v *events.View) { v.Disabled = true })
	case events.UserSuspended:
		p.flag(pastSuspended, func(v *events.View) { v.Suspended = false })
	case events.UserReinstated:
		p.flag(pastSuspended, func(v *events.View) { v.Suspended = true })
	case events.TokenRevoked, events.TokenExpired:
		p.flag(pastEnded, func(v *events.View) { v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{} })
	default:
		panic(fmt.Sprintf("token: no rule says what the fact %T tells about the past", f))
	}
}

// noteUpdate notes the members of an update. A new expiry may also end the outgoing
// secret earlier, and does not say when that secret would have ended before.
func (p *Past) noteUpdate(f events.TokenUpdated, at time.Time) {
	for i, said := range [pastValues]bool{
		pastName: f.Name != nil, pastDescription: f.Description != nil, pastExpiry: !f.ExpiresAt.IsZero() || f.NeverExpires,
		pastScopes: f.Scopes != nil, pastSourceIPs: f.SourceIPs != nil, pastOutgoing: !f.PreviousSecretUntil.IsZero(),
	} {
		if said {
			p.values[i].say(at)
		}
	}
	if p.rotated && !f.ExpiresAt.IsZero() {
		p.values[pastOutgoing].touched = at
	}
}

func (v *pastValue) say(at time.Time) {
	if v.touched = at; v.set.IsZero() {
		v.set = at
	}
}

// flag gives a flag the value before its first record.
func (p *Past) flag(which int, before func(*events.View)) {
	if !p.seen[which] {
		before(&p.view)
	}
	p.seen[which] = true
}

// factAbout reports whether a fact is about a token, and returns the fact without
// the other tokens that it names.
func factAbout(f events.Fact, id string) (events.Fact, bool) {
	switch f := f.(type) {
	case events.TokenCreated:
		return f, f.TokenID == id
	case events.TokenUpdated:
		return f, f.TokenID == id
	case events.TokenDisabled:
		return f, f.TokenID == id
	case events.TokenEnabled:
		return f, f.TokenID == id
	case events.TokenRotated:
		return f, f.TokenID == id
	case events.TokenRevoked:
		return f, f.TokenID == id
	case events.TokenExpired:
		return f, f.TokenID == id
	case events.OwnerLimitChanged:
		return f, false
	case events.UserSuspended:
		about := slices.Contains(f.TokenIDs, id)
		f.TokenIDs = []string{id}
		return f, about
	case events.UserReinstated:
		about := slices.Contains(f.TokenIDs, id)
		f.TokenIDs = []string{id}
		return f, about
	}
	panic(fmt.Sprintf("token: no rule says which tokens the fact %T is about", f))
}
