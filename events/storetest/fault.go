package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"apitoken/events"
)

// ErrFault is returned, without a wrapper, by every call with a planned fault.
var ErrFault = errors.New("injected fault")

// Fault is a way in which a call fails.
type Fault int

// The ways in which a write fails.
const (
	None       Fault = iota // it writes as the store does
	Unapplied               // it writes nothing and returns ErrFault
	Unanswered              // it writes and returns ErrFault
	Late                    // it returns ErrFault; Land writes, if the store still accepts it
)

// Op names a method of the ports.
type Op string

// The methods of the ports.
const (
	OpHead     Op = "Head"
	OpCommit   Op = "Commit"
	OpHistory  Op = "History"
	OpWalk     Op = "Walk"
	OpToken    Op = "Token"
	OpTokens   Op = "Tokens"
	OpTouch    Op = "Touch"
	OpLastUses Op = "LastUses"
	OpReply    Op = "Reply"
	OpPending  Op = "Pending"
	OpSent     Op = "Sent"
	OpNotify   Op = "Notify"

	OpExpiring    Op = "Expiring"
	OpNoteWarning Op = "NoteWarning"
)

// Faulty is a store with planned faults. A read with any fault reads nothing and
// returns ErrFault. Many goroutines may use it.
type Faulty struct {
	store events.Store
	plan  func(Op) Fault

	mu   sync.Mutex
	late []func(context.Context) error
}

var _ events.Store = (*Faulty)(nil)

// NewFaulty wraps a store. Each call asks the plan once, in the goroutine of the
// call, so many goroutines may call plan.
func NewFaulty(store events.Store, plan func(Op) Fault) *Faulty {
	return &Faulty{store: store, plan: plan}
}

// Once returns a plan with a fault in the first call of one method and in no
// other call.
func Once(op Op, fault Fault) func(Op) Fault {
	var once sync.Once
	return func(called Op) (f Fault) {
		if called == op {
			once.Do(func() { f = fault })
		}
		return f
	}
}

// Land makes the late writes, in the order of their calls, each once. It returns
// the store's answers; the callers of the writes never see them.
func (f *Faulty) Land(ctx context.Context) []error {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	errs := make([]error, len(late))
	for i, do := range late {
		errs[i] = do(ctx)
	}
	return errs
}

func (f *Faulty) write(ctx context.Context, op Op, do func(context.Context) error) error {
	switch f.plan(op) {
	case None:
		return do(ctx)
	case Unanswered:
		if err := do(ctx); err != nil {
			return err // the store refused the write, so there is no write to report as failed
		}
	case Late:
		f.mu.Lock()
		f.late = append(f.late, do)
		f.mu.Unlock()
	}
	return ErrFault
}

func (f *Faulty) read(op Op) error {
	if f.plan(op) != None {
		return ErrFault
	}
	return nil
}

// Commit implements events.Log.
func (f *Faulty) Commit(ctx context.Context, c events.Commit) error {
	return f.write(ctx, OpCommit, func(ctx context.Context) error { return f.store.Commit(ctx, c) })
}

// Touch implements events.Uses.
func (f *Faulty) Touch(ctx context.Context, id string, u events.Use) error {
	return f.write(ctx, OpTouch, func(ctx context.Context) error { return f.store.Touch(ctx, id, u) })
}

// Sent implements events.Outbox.
func (f *Faulty) Sent(ctx context.Context, ids ...string) error {
	return f.write(ctx, OpSent, func(ctx context.Context) error { return f.store.Sent(ctx, ids...) })
}

// Notify implements events.Outbox.
func (f *Faulty) Notify(ctx context.Context, m events.Message) error {
	return f.write(ctx, OpNotify, func(ctx context.Context) error { return f.store.Notify(ctx, m) })
}

// NoteWarning implements events.Expiries.
func (f *Faulty) NoteWarning(ctx context.Context, id string, seq uint64, days int) error {
	return f.write(ctx, OpNoteWarning, func(ctx context.Context) error { return f.store.NoteWarning(ctx, id, seq, days) })
}

// Expiring implements events.Expiries.
func (f *Faulty) Expiring(ctx context.Context, kind string, from, to time.Time, do func([]events.Expiring) error) error {
	if err := f.read(OpExpiring); err != nil {
		return err
	}
	return f.store.Expiring(ctx, kind, from, to, do)
}

// Head implements events.Log.
func (f *Faulty) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	if err := f.read(OpHead); err != nil {
		return events.Head{}, err
	}
	return f.store.Head(ctx, s)
}

// History implements events.Log.
func (f *Faulty) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	if err := f.read(OpHistory); err != nil {
		return nil, err
	}
	return f.store.History(ctx, s, after, limit)
}

// Walk implements events.Streams.
func (f *Faulty) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	if err := f.read(OpWalk); err != nil {
		return events.Stretch{}, err
	}
	return f.store.Walk(ctx, after, limit)
}

// Token implements events.Views.
func (f *Faulty) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	if err := f.read(OpToken); err != nil {
		return events.View{}, events.Use{}, err
	}
	return f.store.Token(ctx, id)
}

// Tokens implements events.Views.
func (f *Faulty) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	if err := f.read(OpTokens); err != nil {
		return events.Page{}, err
	}
	return f.store.Tokens(ctx, q)
}

// LastUses implements events.Uses.
func (f *Faulty) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	if err := f.read(OpLastUses); err != nil {
		return nil, err
	}
	return f.store.LastUses(ctx, ids)
}

// Reply implements events.Replies.
func (f *Faulty) Reply(ctx context.Context, key string) (events.Reply, error) {
	if err := f.read(OpReply); err != nil {
		return events.Reply{}, err
	}
	return f.store.Reply(ctx, key)
}

// Pending implements events.Outbox.
func (f *Faulty) Pending(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
	if err := f.read(OpPending); err != nil {
		return nil, err
	}
	return f.store.Pending(ctx, olderThan, limit)
}
