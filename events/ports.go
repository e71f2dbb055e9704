package events

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrConflict: the stream moved on, or the reply is already there. Nothing
	// was written. Read again and decide again.
	ErrConflict = errors.New("the stream moved on")
	// ErrIDTaken: a minted token id is in use. Nothing was written. Mint another.
	ErrIDTaken = errors.New("the token id is in use")
	// ErrNotFound: there is no such token or reply.
	ErrNotFound = errors.New("not found")
)

// The ports. events/storetest states their promises as tests that every adapter
// passes. All of them: what is returned is the caller's own; a context that is
// cancelled before the call writes nothing; every method may be called from
// many goroutines.

// Log keeps the streams.
type Log interface {
	// Head reads consistently: it sees every commit that was answered before
	// the call. A stream that was never written has the zero Head. The head is
	// as stored; the caller checks its seal.
	Head(context.Context, Stream) (Head, error)

	// Commit writes records, head, views and reply, all or nothing, if the
	// stream still stands at the commit's Base; durable on return. ErrConflict
	// and ErrIDTaken wrote nothing. After any other error the outcome is
	// unknown and the write may even land later: ask Landed.
	Commit(context.Context, Commit) error

	// History returns the stored records with Seq > after, ascending, at most
	// limit (1 or more). Fewer than limit means that there were no more.
	History(ctx context.Context, s Stream, after uint64, limit int) ([]Record, error)
}

// Views keeps what is known of each token.
type Views interface {
	// Token reads one token consistently, with its last use (zero if never
	// used), in one read. ErrNotFound if the id was never taken.
	Token(ctx context.Context, id string) (View, Use, error)

	// Tokens lists in the order of Position. It may lag behind commits, so no
	// decision is ever made from it.
	Tokens(context.Context, Query) (Page, error)
}

// Uses keeps last uses, outside every commit.
type Uses interface {
	// Touch notes a use; it is dropped unless it is TouchEvery newer than the
	// one that is kept, and never brings a token into being.
	Touch(ctx context.Context, id string, u Use) error

	// LastUses reads the last uses of some tokens; those never used are absent.
	LastUses(ctx context.Context, ids []string) (map[string]Use, error)
}

// Replies answers repeated commands; writing one is part of Commit.
type Replies interface {
	// Reply reads consistently. ErrNotFound if there is none.
	Reply(ctx context.Context, key string) (Reply, error)
}

// Outbox holds what has not yet reached the bus.
type Outbox interface {
	// Pending returns messages that were written before olderThan and not yet
	// sent, the oldest first within each stream, at most limit (1 or more). What
	// cannot be read may be left out, with what stands behind it in its stream;
	// then there is an error beside the other messages.
	Pending(ctx context.Context, olderThan time.Time, limit int) ([]Message, error)

	// Sent removes messages from the outbox by their ids; unknown ids are fine.
	Sent(ctx context.Context, ids ...string) error

	// Notify puts a notice into the outbox, once for its id for ever.
	Notify(context.Context, Message) error
}

// Store is all ports in one, as each of our stores has them.
type Store interface {
	Log
	Views
	Uses
	Replies
	Outbox
}

// Bus carries messages to whoever subscribed.
type Bus interface {
	// Put sends the messages. failed has an entry for each message, by its id,
	// that was not taken and is nil if all were; err is for the call as a
	// whole, and then nothing is known to be taken.
	Put(context.Context, []Message) (failed map[string]error, err error)
}

// landedPage is how many records Landed reads at a time.
const landedPage = 100

// Landed says whether the command has written to the stream since the version
// after. It settles the unknown outcome of a commit, as far as it can be
// settled: "no" may still become "yes" while the write is in flight, unless
// the stream has moved on since.
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
