package events

import (
	"fmt"
	"time"

	"apitoken/events/instant"
)

// Notice is a message that is not a fact of a stream. It has no record, no hash
// and no MAC. Its id says what it is about, so it is put only once.
type Notice interface {
	kind() string
	id() string
	subject() string
	keepUntil() time.Time // see Outbox.Notify; zero: for 30 days
}

// TokenExpiring warns that a token expires in this number of days, or less.
type TokenExpiring struct {
	TokenID   string       `json:"token_id"`
	Owner     string       `json:"owner"`
	Name      string       `json:"name"`
	ExpiresAt instant.Time `json:"expires_at"`
	Days      int          `json:"days"` // the threshold, one of the setting
}

// TokenReused says that a secret was shown which a rotation had replaced, after
// the end of its grace. It may be in wrong hands.
type TokenReused struct {
	TokenID string       `json:"token_id"`
	Owner   string       `json:"owner"`
	Rotated uint64       `json:"rotation_sequence"` // sequence of the rotation
	EndedAt instant.Time `json:"ended_at"`          // end of the grace
	Day     string       `json:"day"`               // of the use, in UTC, like 2026-11-21
}

func (TokenExpiring) kind() string { return "TokenExpiring" }
func (TokenReused) kind() string   { return "TokenReused" }

func (n TokenExpiring) subject() string { return n.TokenID }
func (n TokenReused) subject() string   { return n.TokenID }

// keepUntil is the expiry: the sweep may look at the token again until then.
func (n TokenExpiring) keepUntil() time.Time { return n.ExpiresAt.Time }

// keepUntil is zero, because the id has the day.
func (n TokenReused) keepUntil() time.Time { return time.Time{} }

// id has the expiry, so a token whose expiry was moved is warned about again.
func (n TokenExpiring) id() string {
	return fmt.Sprintf("TokenExpiring/%s/%s/%d", n.TokenID, instant.Format(n.ExpiresAt.Time), n.Days)
}

// id has the day, so a secret is reported once a day at most.
func (n TokenReused) id() string {
	return fmt.Sprintf("TokenReused/%s/%d/%s", n.TokenID, n.Rotated, n.Day)
}

// Reused is the notice that the outgoing secret of the view was shown at the time
// at, after the end of its grace.
func Reused(v View, at time.Time) TokenReused {
	return TokenReused{
		TokenID: v.ID, Owner: v.Owner, Rotated: v.Rotated, EndedAt: instant.Of(v.OutgoingUntil),
		Day: at.UTC().Format(time.DateOnly),
	}
}

// Expires is the warning that the token of the view expires in this number of
// days, or less.
func Expires(v View, days int) TokenExpiring {
	return TokenExpiring{TokenID: v.ID, Owner: v.Owner, Name: v.Name, ExpiresAt: instant.Of(v.ExpiresAt), Days: days}
}

// NoticeKinds are the types of all notices, each in version 1.
func NoticeKinds() []string { return []string{TokenExpiring{}.kind(), TokenReused{}.kind()} }

// NewNotice returns the message of a notice, for Outbox.Notify. The service
// itself is its actor.
func NewNotice(n Notice, at time.Time) (Message, error) {
	data, err := publicPart(Kind{Version: 1}, n)
	if err != nil {
		return Message{}, fmt.Errorf("encoding the notice %s: %w", n.id(), err)
	}
	return Message{
		ID: n.id(), Type: n.kind(), V: 1, Time: instant.Cut(at), Subject: n.subject(), Data: data, KeepUntil: n.keepUntil(),
	}, nil
}
