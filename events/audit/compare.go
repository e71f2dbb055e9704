package audit

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
)

// page is how many events Compare reads at a time, of either side.
const page = 500

// Library is what Compare reads of the copies.
type Library interface {
	// Copy returns the copies with Seq > after, ascending, at most limit. Fewer
	// than limit means that there were no more.
	Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error)
}

// Report is what came of comparing one stream.
type Report struct {
	Stream   events.Stream
	Log      int // events that the log still has
	Copies   int
	Findings []Finding
}

// Compare holds the copies of a stream against the log. The log may have lost
// its beginning, by retention; it may be ahead by what was written within
// Patience; and nothing else. It may run while the stream is written to. The
// keys check the head's seal.
func Compare(ctx context.Context, log events.Log, copies Library, keys events.Keys, s events.Stream, now time.Time) (Report, error) {
	head, err := log.Head(ctx, s)
	if err != nil {
		return Report{}, err
	}
	c := &comparison{Report: Report{Stream: s}, now: now, head: head}
	if err := head.Check(keys, s); err != nil {
		c.find(Unsealed, head.Version, err.Error())
	}
	left := reader(func(after uint64) ([]events.Message, uint64, error) { return kept(ctx, log, s, after, now) })
	right := reader(func(after uint64) ([]events.Message, uint64, error) {
		ms, err := copies.Copy(ctx, s, after, page)
		return ms, next(ms), err
	})
	if err := c.walk(left, right); err != nil {
		return Report{}, err
	}
	c.ends()
	if len(c.beyond) == 0 {
		return c.Report, nil
	}
	if head, err = log.Head(ctx, s); err != nil {
		return Report{}, err
	}
	c.overhang(head.Version)
	return c.Report, nil
}

// kept is a page of the log without what is past its retention: of that, some
// may have been collected and some not. The place of the next page is 0 after
// the last.
func kept(ctx context.Context, log events.Log, s events.Stream, after uint64, now time.Time) (ms []events.Message, then uint64, err error) {
	rs, err := log.History(ctx, s, after, page)
	for _, r := range rs {
		if !r.Gone(now) {
			ms = append(ms, r.Message())
		}
	}
	if len(rs) == page {
		then = rs[page-1].Seq
	}
	return ms, then, err
}

func next(ms []events.Message) uint64 {
	if len(ms) < page {
		return 0
	}
	return ms[len(ms)-1].Seq
}

// reader makes a function that gives one message after the other, nil at the
// end, from one that gives pages and the place of the next, 0 after the last.
func reader(fetch func(after uint64) ([]events.Message, uint64, error)) func() (*events.Message, error) {
	var ms []events.Message
	var after uint64
	ended := false
	return func() (*events.Message, error) {
		for len(ms) == 0 && !ended {
			var err error
			if ms, after, err = fetch(after); err != nil {
				return nil, err
			}
			ended = after == 0
		}
		if len(ms) == 0 {
			return nil, nil
		}
		m := ms[0]
		ms = ms[1:]
		return &m, nil
	}
}

// comparison is a Compare under way. Both sides are walked by their numbers, up
// to where the head stood at the beginning.
type comparison struct {
	Report
	now    time.Time
	head   events.Head
	copy   events.Message // the last one seen
	log    events.Message
	begun  bool // the log's first event was seen
	beyond []overhang
}

// overhang is an event behind the head that was read. The stream may have moved
// on since.
type overhang struct {
	seq   uint64
	found Kind
	what  string
}

func (c *comparison) walk(left, right func() (*events.Message, error)) error {
	l, err := left()
	if err != nil {
		return err
	}
	r, err := right()
	for err == nil && (l != nil || r != nil) {
		switch {
		case r == nil || l != nil && l.Seq < r.Seq:
			c.logged(*l)
			c.uncopied(*l)
			l, err = left()
		case l == nil || r.Seq < l.Seq:
			c.copied(*r)
			c.unlogged(*r)
			r, err = right()
		default:
			c.both(*l, *r)
			if l, err = left(); err == nil {
				r, err = right()
			}
		}
	}
	return err
}

func (c *comparison) both(l, r events.Message) {
	c.logged(l)
	c.copied(r)
	if l.Hash != r.Hash {
		c.find(Differs, l.Seq, "the log and its copy have other content")
	}
}

func (c *comparison) logged(m events.Message) {
	if m.Seq > c.head.Version {
		c.beyond = append(c.beyond, overhang{m.Seq, Broken, "the log has it behind its head"})
		return
	}
	c.Log++
	prev := c.log.Hash
	if !c.begun {
		prev, c.begun = m.Prev, true
	}
	if err := events.VerifyMessages(prev, []events.Message{m}); err != nil {
		c.find(Broken, m.Seq, "in the log, "+err.Error())
	}
	c.log = m
}

func (c *comparison) copied(m events.Message) {
	if m.Seq > c.head.Version {
		return
	}
	c.Copies++
	prev := c.copy.Hash
	if m.Seq != c.copy.Seq+1 {
		prev = m.Prev
		if !c.begun { // otherwise uncopied has said so, or the log is broken there
			c.find(Gap, m.Seq, "the copy before it is missing, and the log has it no more")
		}
	}
	if err := events.VerifyMessages(prev, []events.Message{m}); err != nil {
		c.find(Broken, m.Seq, "among the copies, "+err.Error())
	}
	c.copy = m
}

// uncopied is an event of the log without a copy. A young one is on its way.
func (c *comparison) uncopied(m events.Message) {
	if m.Seq <= c.head.Version && m.Time.Before(c.now.Add(-Patience)) {
		c.find(Missing, m.Seq, "the log has it and no copy was ever kept")
	}
}

// unlogged is a copy without its event. Only the beginning may be gone.
func (c *comparison) unlogged(m events.Message) {
	switch {
	case m.Seq > c.head.Version:
		c.beyond = append(c.beyond, overhang{m.Seq, RolledBack, notInLog})
	case c.begun:
		c.find(RolledBack, m.Seq, notInLog)
	}
}

const notInLog = "its copy was kept and the log does not have it"

// ends compares the head with the last event of either side.
func (c *comparison) ends() {
	if c.begun && (c.log.Seq != c.head.Version || c.log.Hash != c.head.Hash) {
		c.find(Broken, c.head.Version, "the head does not stand at the log's last event")
	}
	if !c.begun && c.head.Version > 0 && (c.head.KeepUntil.IsZero() || c.now.Before(c.head.KeepUntil)) {
		c.find(RolledBack, c.head.Version, "the log's events are gone before their time")
	}
	if c.copy.Seq == c.head.Version && c.copy.Seq > 0 && c.copy.Hash != c.head.Hash {
		c.find(Differs, c.head.Version, "the head does not stand at the last copy")
	}
}

// overhang judges what lay behind the head by where the head stands now: an
// event exists from the moment that the head stands at it, and copies come
// later.
func (c *comparison) overhang(version uint64) {
	for _, o := range c.beyond {
		if o.seq > version {
			c.find(o.found, o.seq, o.what)
		}
	}
}

func (c *comparison) find(k Kind, seq uint64, detail string) {
	c.Findings = append(c.Findings, Finding{k, fmt.Sprintf("%s/%d", c.Stream, seq), detail})
}
