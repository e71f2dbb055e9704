package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/token"
)

// StateV is the number of the encoding that EncodeState writes. A new encoding gets
// the next number; DecodeState still reads the older ones.
const StateV = 1

// State is what the rules need to know about the sessions of one owner. It has only
// sessions without a recorded end, so it does not grow with history.
type State struct {
	Owner    string
	Version  uint64        // facts folded so far, which is the stream's version
	Sessions []events.View // the oldest first
	Hour     time.Time     // start of the hour of the last sign-in; zero: there was none
	SignIns  int           // of the person, in that hour
	Others   int           // sessions that tokens and JWTs opened in that hour

	Suspended bool   // the owner has no session, and none is opened
	Name      string // the last displayed name of the owner; empty: unknown
}

// encoded is the stored form.
type encoded struct {
	Owner     string       `json:"o"`
	Version   uint64       `json:"n"`
	Sessions  []storedView `json:"t,omitempty"`
	Hour      instant.Time `json:"h,omitzero"`
	SignIns   int          `json:"c,omitempty"`
	Others    int          `json:"p,omitempty"`
	Suspended bool         `json:"s,omitempty"`
	Name      string       `json:"d,omitempty"`
}

// storedView is a view with times in the form of package instant. The members of the
// view with the same JSON names are not written.
type storedView struct {
	events.View
	CreatedAt  instant.Time `json:"t"`
	ExpiresAt  instant.Time `json:"e"`
	MakesUntil instant.Time `json:"m,omitzero"`
}

// EncodeState returns the bytes for the head, in the encoding StateV. What follows from
// the stream is written once or not at all. A state above events.MaxState is refused
// with state_too_large.
func EncodeState(s State) ([]byte, error) {
	e := encoded{Owner: s.Owner, Version: s.Version, Hour: instant.Of(s.Hour), SignIns: s.SignIns, Others: s.Others, Suspended: s.Suspended, Name: s.Name}
	for _, v := range s.Sessions {
		stored := storedView{View: v, CreatedAt: instant.Of(v.CreatedAt), ExpiresAt: instant.Of(v.ExpiresAt), MakesUntil: instant.Of(v.MakesUntil)}
		stored.Owner, stored.Creator, stored.Kind = "", "", ""
		e.Sessions = append(e.Sessions, stored)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the sessions of owner %s: %w", s.Owner, err)
	}
	if len(b) > events.MaxState {
		return nil, &events.Refusal{Code: token.CodeStateTooLarge, Detail: fmt.Sprintf("the user's sessions have %d bytes together; at most %d are allowed", len(b), events.MaxState)}
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
		return State{}, fmt.Errorf("decoding an owner's sessions: unknown encoding %d", v)
	}
	var e encoded
	if err := json.Unmarshal(b, &e); err != nil {
		return State{}, fmt.Errorf("decoding an owner's sessions: %w", err)
	}
	s := State{Owner: e.Owner, Version: e.Version, Hour: e.Hour.Time, SignIns: e.SignIns, Others: e.Others, Suspended: e.Suspended, Name: e.Name}
	for _, stored := range e.Sessions {
		v := stored.View
		v.CreatedAt, v.ExpiresAt, v.MakesUntil = stored.CreatedAt.Time, stored.ExpiresAt.Time, stored.MakesUntil.Time
		v.Owner, v.Creator, v.Kind = e.Owner, e.Owner, events.KindSession
		s.Sessions = append(s.Sessions, v)
	}
	return s, nil
}

// Find returns the session with this id among those without a recorded end. It may be
// past its expiry.
func (s State) Find(id string) (events.View, bool) {
	i := slices.IndexFunc(s.Sessions, func(v events.View) bool { return v.ID == id })
	if i < 0 {
		return events.View{}, false
	}
	return s.Sessions[i], true
}

// PutBack returns the state with a session that is missing in it. It is for a live
// view that something put back after the session ended, and for the command that ends
// the session again. It does not change its input.
func PutBack(s State, v events.View) State {
	v.Seal = events.Verifier{}
	s.Sessions = append(slices.Clip(s.Sessions), v)
	return s
}

// HasOpenedWith reports whether a session was opened with a token.
func (s State) HasOpenedWith() bool {
	return slices.ContainsFunc(s.Sessions, func(v events.View) bool { return v.From != "" })
}

// Live counts the sessions that are live at the time now.
func (s State) Live(now time.Time) int {
	return len(s.selected(now, func(events.View) bool { return true }))
}
