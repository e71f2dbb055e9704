package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// StateV is the number of the encoding that EncodeState writes. A new encoding
// gets the next number; DecodeState still reads the older ones.
const StateV = 3

// State is what the rules need to know about one owner. It has only tokens
// without a recorded end, so it does not grow with history. A token that is past
// its expiry stays until a command records the expiry, but is not counted.
type State struct {
	Owner   string
	Version uint64        // facts folded so far, which is the stream's version
	Tokens  []events.View // in creation order
	Hour    time.Time     // start of the hour of the last counted change; zero: no change was counted
	Changes int           // counted changes in that hour

	TokenLimit *int            // the owner's own limit; nil: that of the policy
	Suspended  bool            // no token of the owner passes, and no command makes or changes one
	Notes      map[string]Note // by token id; tokens with the zero Note are left out
}

// Note is what the rules need to know about a token beside its view.
type Note struct {
	MadeWith      string    // the token of the same owner that made it, or an ended one of which it is a descendant; may be empty
	SelfRotatedAt time.Time // when the token last rotated itself; zero: never
}

// encoded is version 3 of the stored form. Version 1 has no hour and no changes.
// Version 2 has no limit, no suspension and no notes.
type encoded struct {
	Owner   string       `json:"o"`
	Version uint64       `json:"n"`
	Tokens  []storedView `json:"t,omitempty"`
	Hour    instant.Time `json:"h,omitzero"`
	Changes int          `json:"c,omitempty"`

	TokenLimit *int `json:"l,omitempty"`
	Suspended  bool `json:"s,omitempty"`
}

// storedView is a view and its note, with times in the form of package instant.
// The members of the view with the same JSON names are not written.
type storedView struct {
	events.View
	CreatedAt     instant.Time `json:"t"`
	ExpiresAt     instant.Time `json:"e,omitzero"` // zero: never
	OutgoingUntil instant.Time `json:"u,omitzero"`

	MadeWith      string       `json:"p,omitempty"`
	SelfRotatedAt instant.Time `json:"r,omitzero"`
}

func stored(v events.View, n Note) storedView {
	return storedView{
		View: v, CreatedAt: instant.Of(v.CreatedAt), ExpiresAt: instant.Of(v.ExpiresAt), OutgoingUntil: instant.Of(v.OutgoingUntil),
		MadeWith: n.MadeWith, SelfRotatedAt: instant.Of(n.SelfRotatedAt),
	}
}

func (s storedView) view() events.View {
	v := s.View
	v.CreatedAt, v.ExpiresAt, v.OutgoingUntil = s.CreatedAt.Time, s.ExpiresAt.Time, s.OutgoingUntil.Time
	return v
}

func (s storedView) note() Note {
	return Note{MadeWith: s.MadeWith, SelfRotatedAt: s.SelfRotatedAt.Time}
}

// EncodeState returns the bytes for the head, in the encoding StateV. The owner is
// written once and not in every view. A state above events.MaxState is refused
// with state_too_large.
func EncodeState(s State) ([]byte, error) {
	e := encoded{Owner: s.Owner, Version: s.Version, Hour: instant.Of(s.Hour), Changes: s.Changes, TokenLimit: s.TokenLimit, Suspended: s.Suspended}
	for _, v := range s.Tokens {
		v.Owner = ""
		e.Tokens = append(e.Tokens, stored(v, s.Notes[v.ID]))
	}
	b, err := encode(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the state of owner %s: %w", s.Owner, err)
	}
	if len(b) > events.MaxState {
		return nil, refuse(CodeStateTooLarge, "", "the user's tokens have %d bytes together; at most %d are allowed", len(b), events.MaxState)
	}
	return b, nil
}

// DecodeState decodes a state in the encoding v, which is at least 1 and at most
// StateV. If b is empty, it returns the zero State.
func DecodeState(v int, b []byte) (State, error) {
	if len(b) == 0 {
		return State{}, nil
	}
	if v < 1 || v > StateV {
		return State{}, fmt.Errorf("decoding an owner's state: unknown encoding %d", v)
	}
	var e encoded
	if err := json.Unmarshal(b, &e); err != nil {
		return State{}, fmt.Errorf("decoding an owner's state: %w", err)
	}
	s := State{Owner: e.Owner, Version: e.Version, Hour: e.Hour.Time, Changes: e.Changes, TokenLimit: e.TokenLimit, Suspended: e.Suspended}
	for _, t := range e.Tokens {
		v := t.view()
		v.Owner = e.Owner
		s.Tokens = append(s.Tokens, v)
		s = s.withNote(v.ID, t.note())
	}
	return s, nil
}

// withNote returns the state with this note of a token. It does not change its
// input.
func (s State) withNote(id string, n Note) State {
	if s.Notes[id] == n {
		return s
	}
	notes := maps.Clone(s.Notes)
	if notes == nil {
		notes = map[string]Note{}
	}
	notes[id] = n
	if n == (Note{}) {
		delete(notes, id)
	}
	if s.Notes = notes; len(notes) == 0 {
		s.Notes = nil
	}
	return s
}

// encode is JSON without the escapes for HTML, which need six bytes for one. It
// has no final newline.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Find returns the token with this id among those without a recorded end. It may
// be past its expiry.
func (s State) Find(id string) (events.View, bool) {
	i := slices.IndexFunc(s.Tokens, func(v events.View) bool { return v.ID == id })
	if i < 0 {
		return events.View{}, false
	}
	return s.Tokens[i], true
}

// PutBack returns the state with a token that is missing in it. It is for a live
// view that something put back after the token ended, and for the command that
// ends the token again. It does not change its input.
func PutBack(s State, v events.View) State {
	v.Seal = events.Verifier{}
	s.Tokens = append(slices.Clip(s.Tokens), v)
	return s
}

// Limit is the number of live tokens that the owner may have.
func (s State) Limit(p Policy) int {
	if s.TokenLimit != nil {
		return *s.TokenLimit
	}
	return p.TokenLimit
}

// Live counts the tokens that are live at the time now.
func (s State) Live(now time.Time) (n int) {
	for _, v := range s.Tokens {
		if v.LiveAt(now) {
			n++
		}
	}
	return n
}

// SoonestExpiry is the earliest expiry of a live token, zero if none expires.
func (s State) SoonestExpiry(now time.Time) (soonest time.Time) {
	for _, v := range s.Tokens {
		if v.LiveAt(now) {
			soonest = earlier(soonest, v.ExpiresAt)
		}
	}
	return soonest
}

// earlier is the earlier of two times. Zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
