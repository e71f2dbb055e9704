package events

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrConflict: the stream has a newer version, or the reply exists already.
	// Nothing was written. Read again and decide again.
	ErrConflict = errors.New("the stream has a newer version")
	// ErrIDTaken: a minted token id is in use. Nothing was written. Mint another
	// id.
	ErrIDTaken = errors.New("the token id is in use")
	// ErrNotFound: there is no such token or reply.
	ErrNotFound = errors.New("not found")
	// ErrHeadMissing: the stream has records and no head. It wraps ErrDamaged.
	ErrHeadMissing = fmt.Errorf("%w: the stream has records and no head", ErrDamaged)
	// ErrOlderVersion: an older version of this software made the store, and this
	// version does not read its form. It is a fault.
	ErrOlderVersion = errors.New("made by an older version of apitoken, which this version does not read")
)

// The ports. Package storetest states their promises as tests, and every adapter
// passes them. These promises hold for all ports: a returned value belongs to
// the caller; a call with a context that is already cancelled writes nothing;
// many goroutines may call every method. All instants are in UTC and in whole
// microseconds.

// Log stores the streams.
type Log interface {
	// Head reads consistently: it sees every commit that was answered before
	// the call. A stream that was never written has the zero Head. A stored head
	// of version 0, and a stream with records and without a head, are an error
	// that wraps ErrDamaged: a head that is zero needs no seal. For a missing
	// head the error wraps ErrHeadMissing. Head does not check the seal; the
	// caller does.
	Head(context.Context, Stream) (Head, error)

	// Commit writes records, head, views and reply, all or nothing, if the
	// stream still has the version Base. They are durable when Commit returns.
	// Commit never overwrites a record: if a record with one of the numbers
	// exists already, the commit is an ErrConflict. After ErrConflict and ErrIDTaken nothing was written. After any other
	// error the outcome is unknown, and the write may still be applied later:
	// ask Landed.
	Commit(context.Context, Commit) error

	// History returns the stored records with Seq > after, ascending, at most
	// limit (1 or more). Fewer than limit records mean that there are no more. A
	// record that cannot be decoded is a *DamagedRecord, beside the records before
	// it.
	History(ctx context.Context, s Stream, after uint64, limit int) ([]Record, error)
}

// Streams reads the records of all streams, one stream after the other.
type Streams interface {
	// Walk returns the records after a place, in an order that never changes: all
	// records of one stream are together, ascending. A walk begins at the place ""
	// and continues at each Stretch.Next until More is false. Such a walk returns
	// each record once that was committed before it began, if Record.Gone is false
	// until the walk ends. Of the records that are committed meanwhile it returns
	// some, each once. A record that cannot be decoded is in Stretch.Damaged, and
	// the walk goes on after it.
	//
	// The work of one call has a bound, so a stretch may be short or empty and still
	// have More. It has at most limit (1 or more) records, damaged ones included. A
	// place stays valid for ever. For a text that is not a place of such a store the
	// error wraps ErrPlace.
	Walk(ctx context.Context, after Place, limit int) (Stretch, error)
}

// Views stores one view for each token.
type Views interface {
	// Token reads one token consistently, with its last use, in one read. The use
	// is zero if the token was never used, and also if the use cannot be decoded:
	// it decides nothing, so it must not refuse the token. ErrNotFound if the id was
	// never taken, or if the view was removed after its retention. A view that
	// cannot be decoded, or that has index attributes which differ from its
	// fields, is a *DamagedView. Token does not check the seal; the caller does.
	Token(ctx context.Context, id string) (View, Use, error)

	// Tokens lists views in the order of Position. The work of one call has a
	// bound, so a page may be short or empty and still have More. For a query with
	// owners, a call reads no tokens of other owners, and Page.Next names none. The
	// list may lack the latest commits, so no rule decides by it. A view may have the digest of its
	// verifier in place of the verifier. Page.Damaged has the entries that cannot
	// be decoded. Tokens does not check the seals; the caller does.
	Tokens(context.Context, Query) (Page, error)
}

// Uses stores the last use of each token, outside of commits.
type Uses interface {
	// Touch stores a use if the stored one is not later than Use.Since, and otherwise
	// drops it. It never creates a token. If the stored use cannot be
	// decoded, Touch writes nothing, and its error wraps ErrDamaged. Touch returns
	// soon after its context has ended.
	Touch(ctx context.Context, id string, u Use) error

	// LastUses reads the last uses of some tokens. A token that was never used
	// has no entry. If a use cannot be decoded, LastUses returns the other uses
	// and an error that wraps ErrDamaged. After any other error it returns no uses.
	LastUses(ctx context.Context, ids []string) (map[string]Use, error)
}

// Expiries finds the tokens and sessions that expire in a period of time, for the sweep. What it
// returns are hints: they may lack the latest commits, and something other than
// this service may have written them. No rule decides by them.
type Expiries interface {
	// Expiring calls f with the tokens without a recorded end that expire at from
	// or later and before to, in pages of at most ExpiringPage. The kind KindSession
	// means the sessions in their place. The order is free.
	// f may write to the store. Expiring stops at an error of f and returns it. It
	// leaves out an entry that cannot be decoded. At its end it then returns an
	// error that wraps ErrDamaged.
	Expiring(ctx context.Context, kind string, from, to time.Time, f func([]Expiring) error) error

	// NoteWarning notes the warning that the sweep handled last, if the view of the
	// token still has the sequence seq and no end. Otherwise it does nothing. The
	// note is lost with the next change of the view.
	NoteWarning(ctx context.Context, id string, seq uint64, days int) error
}

// Replies reads the answers of commands that may be sent again. Commit writes
// them.
type Replies interface {
	// Reply reads consistently. ErrNotFound if there is no reply under the key.
	Reply(ctx context.Context, key string) (Reply, error)
}

// Outbox has the messages that are not yet on the bus.
type Outbox interface {
	// Pending returns messages that were written before olderThan and are not
	// yet sent, at most limit (1 or more), the oldest of each stream first. It
	// may skip a message that it cannot decode, and all later messages of that
	// stream. It then returns the other messages and an error that wraps
	// ErrDamaged. After any other error it may return no messages.
	Pending(ctx context.Context, olderThan time.Time, limit int) ([]Message, error)

	// Sent removes messages from the outbox by their ids. It ignores unknown
	// ids.
	Sent(ctx context.Context, ids ...string) error

	// Notify puts a notice into the outbox. A notice with the same id is put only
	// once in 30 days from its time, at least, and only once before its KeepUntil;
	// also after the notice was sent. The store need not return KeepUntil. Notify
	// returns soon after its context has ended. After an error the outcome is
	// unknown: put the same notice again.
	Notify(context.Context, Message) error
}

// Store is all ports of a store in one. Each of our stores has it.
//
// A store removes only what is past its retention, at any later time and in any
// order, so nothing is decided by absence:
//
//   - records of which Record.Gone is true, but only from the beginning of a stream;
//   - the view of an ended token after its KeepUntil, with the use;
//   - a reply when events.ReplyValid has passed since its time;
//   - a notice after the time that Notify promises.
//
// It never removes a head: a stream that lost all its records keeps its version,
// its chain and its state. Before a removal and after it the ports promise the same,
// except that the item is unknown.
type Store interface {
	Log
	Streams
	Views
	Expiries
	Uses
	Replies
	Outbox
}

// Collector removes what is past its retention. An engine may do that itself, as
// DynamoDB does; then its store has no Collector.
type Collector interface {
	// Collect removes all that is past its retention at the time now, except what
	// was not sent yet. Other calls may run meanwhile, and none of them waits for
	// the whole collection. If ctx ends, Collect returns soon with the error of ctx;
	// what it removed until then is counted, and the next call goes on. Everything
	// that it removed is durably removed when it returns.
	Collect(ctx context.Context, now time.Time) (Collected, error)
}

// Collected counts what a collection has removed.
type Collected struct{ Records, Views, Replies, Notices int }

// Repairs ends the block of a stream that has a record newer than its head. Only
// the command line of an operator uses it. A store has it beside its other ports.
// After any error but ErrConflict the outcome of a write is unknown: read again.
type Repairs interface {
	// Newer reads consistently the records with Seq > after, ascending, at most
	// limit (1 or more), also those that cannot be decoded. Fewer than limit
	// records mean that there are no more.
	Newer(ctx context.Context, s Stream, after uint64, limit int) ([]Newer, error)

	// Remove removes a record that Newer returned, with its entry in the outbox,
	// if the record is still the same and the stream still has the version base. The base 0 means
	// that the stream has no head.
	// Otherwise it returns ErrConflict, and nothing was removed. The removal is
	// durable when Remove returns.
	Remove(ctx context.Context, s Stream, base uint64, n Newer) error

	// Advance writes the head and the views of an Advance, all or nothing, if the
	// stream still has the version Base. Otherwise it returns ErrConflict, and
	// nothing was written. It writes no record and nothing into the outbox. The
	// writes are durable when it returns.
	Advance(context.Context, Advance) error
}

// Newer is a stored record with a higher sequence than the head of its stream.
type Newer struct {
	Seq     uint64
	Record  Record
	Damaged error // why the record cannot be decoded; then Record is zero
	Stored  any   // the record as the store has it, for Remove
}

// Bus sends messages to their subscribers.
type Bus interface {
	// Put sends the messages. failed has an entry, by message id, for each
	// message that the bus did not accept, and is nil if it accepted all. err is
	// about the whole call: then it is unknown which messages were accepted.
	Put(context.Context, []Message) (failed map[string]error, err error)
}

// landedPage is the number of records that Landed reads at a time.
const landedPage = 100

// Landed reports whether the command wrote to the stream after the version
// after. A caller asks it when the outcome of a commit is unknown. "No" is final
// only if the stream has a newer version; otherwise the write may still be
// applied.
func Landed(ctx context.Context, log Log, s Stream, after uint64, command string) (bool, error) {
	for {
		rs, err := log.History(ctx, s, after, landedPage)
		if err != nil {
			return false, fmt.Errorf("looking for command %s in stream %s: %w", command, s, err)
		}
		for _, r := range rs {
			if r.Command == command {
				return true, nil
			}
		}
		if len(rs) < landedPage {
			return false, nil
		}
		after = rs[len(rs)-1].Seq
	}
}
