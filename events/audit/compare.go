package audit

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
)

// Reader reads the copies for Compare.
type Reader interface {
	// Copy returns the copies with Seq > after, ascending, at most limit. If it
	// returns fewer than limit, there are no further copies.
	Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error)
}

// Report is the result of comparing one stream.
type Report struct {
	Stream   events.Stream
	Log      int // events that the log still has
	Copies   int
	Findings []Finding
}

// Compare compares a stream's copies with the log. Two differences are not
// findings: retention may have removed the oldest events of the log, and events
// of the last GracePeriod may not have a copy yet. Compare may run while the
// stream is written. The keys are the peppers that verify the head's seal.
func Compare(ctx context.Context, log events.Log, copies Reader, keys events.Keys, s events.Stream, now time.Time) (Report, error) {
	head, err := log.Head(ctx, s)
	if err != nil {
		return Report{}, err
	}
	c := &comparison{Report: Report{Stream: s}, now: now, head: head}
	if err := head.Check(keys, s); err != nil {
		c.find(Unsealed, head.Version, err.Error())
	}
	nextLogged := oneByOne(func(after uint64) ([]events.Message, uint64, error) { return logPage(ctx, log, s, after, now) })
	nextCopy := oneByOne(func(after uint64) ([]events.Message, uint64, error) { return copyPage(ctx, copies, s, after) })
	if err := c.walk(nextLogged, nextCopy); err != nil {
		return Report{}, err
	}
	c.checkHead()
	if err := c.recheck(ctx, log); err != nil {
		return Report{}, err
	}
	return c.Report, nil
}

// comparison walks the log and the copies by sequence, up to the head that was
// read first.
type comparison struct {
	Report
	now   time.Time
	head  events.Head
	copy  events.Message // the last copy
	log   events.Message // the last event of the log
	begun bool           // the log's first event was read
	newer []newerThanHead
}

// newerThanHead is an event with a higher sequence than the head that was read.
// The stream may have grown since.
type newerThanHead struct {
	seq    uint64
	kind   Kind
	detail string
}

func (c *comparison) walk(nextLogged, nextCopy next) error {
	logged, err := nextLogged()
	if err != nil {
		return err
	}
	kept, err := nextCopy()
	for err == nil && (logged != nil || kept != nil) {
		switch {
		case kept == nil || logged != nil && logged.Seq < kept.Seq:
			c.checkLogged(*logged)
			c.withoutCopy(*logged)
			logged, err = nextLogged()
		case logged == nil || kept.Seq < logged.Seq:
			c.checkCopy(*kept)
			c.onlyCopied(*kept)
			kept, err = nextCopy()
		default:
			c.checkPair(*logged, *kept)
			if logged, err = nextLogged(); err == nil {
				kept, err = nextCopy()
			}
		}
	}
	return err
}

func (c *comparison) checkPair(logged, kept events.Message) {
	c.checkLogged(logged)
	c.checkCopy(kept)
	if logged.Hash != kept.Hash {
		c.find(Differs, logged.Seq, "the log and its copy differ")
	}
}

func (c *comparison) checkLogged(m events.Message) {
	if m.Seq > c.head.Version {
		c.newer = append(c.newer, newerThanHead{m.Seq, Broken, "the log has a record newer than its head"})
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

func (c *comparison) checkCopy(m events.Message) {
	if m.Seq > c.head.Version {
		return
	}
	c.Copies++
	prev := c.copy.Hash
	if m.Seq != c.copy.Seq+1 {
		prev = m.Prev
		if !c.begun { // otherwise withoutCopy has reported it, or the log itself is broken there
			c.find(Gap, m.Seq, "the copy before it is missing, and that event is no longer in the log")
		}
	}
	if err := events.VerifyMessages(prev, []events.Message{m}); err != nil {
		c.find(Broken, m.Seq, "among the copies, "+err.Error())
	}
	c.copy = m
}

// withoutCopy judges an event of the log that has no copy. The copy of a recent
// event may not have arrived yet.
func (c *comparison) withoutCopy(m events.Message) {
	if m.Seq <= c.head.Version && m.Time.Before(c.now.Add(-GracePeriod)) {
		c.find(Missing, m.Seq, "it is in the log and was never copied")
	}
}

// onlyCopied judges a copy without its event in the log. The log may lack only
// its beginning.
func (c *comparison) onlyCopied(m events.Message) {
	switch {
	case m.Seq > c.head.Version:
		c.newer = append(c.newer, newerThanHead{m.Seq, RolledBack, notInLog})
	case c.begun:
		c.find(RolledBack, m.Seq, notInLog)
	}
}

const notInLog = "it was copied and is not in the log"

// checkHead compares the head with the last event of the log and of the copies.
func (c *comparison) checkHead() {
	if c.begun && (c.log.Seq != c.head.Version || c.log.Hash != c.head.Hash) {
		c.find(Broken, c.head.Version, "the head does not match the last event in the log")
	}
	if !c.begun && c.head.Version > 0 && (c.head.KeepUntil.IsZero() || c.now.Before(c.head.KeepUntil)) {
		c.find(RolledBack, c.head.Version, "the log's events were removed before the end of their retention")
	}
	if c.copy.Seq == c.head.Version && c.copy.Seq > 0 && c.copy.Hash != c.head.Hash {
		c.find(Differs, c.head.Version, "the head does not match the last copy")
	}
}

// recheck compares the events that were newer than the first head with the head
// as it is now. An event and its head are committed together, and the copy is
// made later.
func (c *comparison) recheck(ctx context.Context, log events.Log) error {
	if len(c.newer) == 0 {
		return nil
	}
	head, err := log.Head(ctx, c.Stream)
	if err != nil {
		return err
	}
	for _, n := range c.newer {
		if n.seq > head.Version {
			c.find(n.kind, n.seq, n.detail)
		}
	}
	return nil
}

func (c *comparison) find(k Kind, seq uint64, detail string) {
	c.Findings = append(c.Findings, Finding{k, fmt.Sprintf("%s/%d", c.Stream, seq), detail})
}
