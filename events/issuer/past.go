package issuer

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// maxPast is the maximum number of records that one GetAt folds, because the
// records of a busy owner may be millions. A longer history is folded from a later
// record, as if its beginning was removed.
const maxPast = 5000

// GetAt returns one token as it was at an earlier instant, without its last use.
// No states means every state, also revoked. Who may see the token is decided as
// for Get, with the permissions of today. An instant in the future is
// instant_in_future. An instant before the creation of the token is not_found. An
// instant for which the records do not say the token is history_trimmed: older
// records are past their retention, or more than maxPast records precede the last
// change of the token.
func (i *Issuer) GetAt(ctx context.Context, by guard.Principal, id string, at time.Time, states ...events.TokenState) (Token, error) {
	if now := i.now(); at.After(now) {
		return Token{}, token.InFuture(now)
	}
	t, _, err := i.find(ctx, by, id)
	if err != nil {
		return Token{}, err
	}
	if at.Before(t.CreatedAt) {
		return Token{}, token.NotYet(t.CreatedAt)
	}
	if t.IsSession() { // nothing but its end changes a session
		if t.Ended != "" && at.Before(t.EndedAt) {
			t.Ended, t.EndedAt, t.KeepUntil = "", time.Time{}, time.Time{}
		}
		return inStates(tokenAt(t.View, events.Use{}, at), everyState(states))
	}
	v, err := i.viewAt(ctx, t.View, at)
	if err != nil {
		return Token{}, err
	}
	return inStates(tokenAt(v, events.Use{}, at), everyState(states))
}

// everyState returns the states, or all states if there are none.
func everyState(states []events.TokenState) []events.TokenState {
	if len(states) == 0 {
		return events.AllStates()
	}
	return states
}

// viewAt returns the view of a token at an instant since its creation. It reads
// the records from the creation, or from the oldest one that is kept, up to the last
// one that changed the token.
func (i *Issuer) viewAt(ctx context.Context, today events.View, at time.Time) (events.View, error) {
	s := events.UserStream(today.Owner)
	head, err := readHead(ctx, i.store, i.keys, s)
	if err != nil {
		return events.View{}, err
	}
	r := recordReader{log: i.store, keys: i.keys, stream: s, now: i.now()}
	last := min(today.Seq, head.Version)
	p, first, whole := token.NewPast(today, at), time.Time{}, false
	err = r.each(ctx, beforePast(today, last), last, func(rec events.Record) (more bool, err error) {
		if first.IsZero() {
			first, whole = rec.At, rec.Seq == today.First
		}
		if whole && rec.At.After(at) {
			return false, nil // the records since the creation say everything
		}
		return true, addRecord(p, today.ID, rec)
	})
	if err == nil && first.IsZero() {
		first, err = r.oldest(ctx, last, head)
	}
	if err != nil {
		return events.View{}, fmt.Errorf("reading the past of token %s: %w", today.ID, err)
	}
	if from := p.From(); from.After(first) {
		first = from
	}
	if at.Before(first) {
		return events.View{}, token.HistoryTrimmed(first)
	}
	return p.View(), nil
}

// beforePast returns the sequence before the first record to fold.
func beforePast(today events.View, last uint64) (after uint64) {
	if today.First > 0 {
		after = today.First - 1
	}
	if last > maxPast {
		after = max(after, last-maxPast)
	}
	return after
}

// addRecord adds a record that may be about the token. A record without a subject
// may name several tokens.
func addRecord(p *token.Past, id string, r events.Record) error {
	if subject := r.Subject(); subject != id && subject != "" {
		return nil
	}
	f, err := events.Decode(r)
	if err != nil {
		return err
	}
	p.Add(f, r.Seq, r.At)
	return nil
}
