package compare

import (
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/session"
	"apitoken/events/token"
)

// state is the state of an owner's tokens or of an owner's sessions. The rules of
// packages token and session compute it, so this is the only file that a new kind of
// stream could concern.
type state interface {
	version() uint64
	of(owner string, version uint64) state // the same state with this owner and version
	views() []events.View                  // those without a recorded end
	Find(id string) (events.View, bool)
	putBack(id, owner string) state // with a view of which only the owner is known
	fold(f events.Fact, at time.Time, retention time.Duration) (state, events.Effect)
}

// newState is the state before the first event of a stream, nil for a stream without
// tokens.
func newState(s events.Stream) state {
	switch s.Kind() {
	case events.UserStreams:
		return tokenState{}
	case events.SessionStreams:
		return sessionState{}
	}
	return nil
}

// decodeState decodes the state in the head of a stream with tokens.
func decodeState(s events.Stream, h events.Head) (state, error) {
	switch s.Kind() {
	case events.UserStreams:
		st, err := token.DecodeState(h.StateV, h.State)
		return tokenState{st}, err
	case events.SessionStreams:
		st, err := session.DecodeState(h.StateV, h.State)
		return sessionState{st}, err
	}
	return nil, fmt.Errorf("stream %s has no tokens", s)
}

// opens reports whether an event is the first one about its token.
func opens(m events.Message) bool {
	return m.Is(events.TokenCreated{}) || m.Is(events.SessionOpened{})
}

type tokenState struct{ token.State }

func (s tokenState) version() uint64 { return s.Version }

func (s tokenState) of(owner string, version uint64) state {
	s.Owner, s.Version = owner, version
	return s
}

func (s tokenState) views() []events.View { return s.Tokens }

func (s tokenState) putBack(id, owner string) state {
	return tokenState{token.PutBack(s.State, events.View{ID: id, Owner: owner})}
}

func (s tokenState) fold(f events.Fact, at time.Time, retention time.Duration) (state, events.Effect) {
	after := token.Fold(s.State, f, at)
	return tokenState{after}, token.Effect(s.State, after, []events.Fact{f}, at, retention)
}

type sessionState struct{ session.State }

func (s sessionState) version() uint64 { return s.Version }

func (s sessionState) of(owner string, version uint64) state {
	s.Owner, s.Version = owner, version
	return s
}

func (s sessionState) views() []events.View { return s.Sessions }

func (s sessionState) putBack(id, owner string) state {
	return sessionState{session.PutBack(s.State, events.View{ID: id, Owner: owner, Kind: events.KindSession})}
}

func (s sessionState) fold(f events.Fact, at time.Time, retention time.Duration) (state, events.Effect) {
	after := session.Fold(s.State, f, at)
	return sessionState{after}, session.Effect(s.State, after, []events.Fact{f}, at, retention)
}
