package compare

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
)

// walk is one pass through the log and the copies of one stream by sequence, up
// to the head that was read first.
type walk struct {
	Comparison
	report Report
	ctx    context.Context // of the one call that owns the walk
	now    time.Time
	head   events.Head
	bare   bool           // the head cannot be read: the walk goes to the end
	copy   events.Message // the last copy
	log    events.Message // the last event of the log
	begun  bool           // the log's first event was read
	newer  []newerThanHead

	tokens   *tokens
	doubts   map[string]audit.Finding // about views, by token, until the second look
	settling bool                     // the second look has begun: the next comparison reports on its events
}

// newerThanHead is an event with a higher sequence than the head that was read.
// The stream may have grown since.
type newerThanHead struct {
	seq    uint64
	kind   audit.Kind
	detail string
}

// walk judges the events up to the head, and follows the tokens through them.
func (w *walk) walk() error {
	return w.merge(0, func(logged, kept *events.Message) error {
		switch {
		case kept == nil:
			w.withoutCopy(*logged)
			if !w.checkLogged(*logged) {
				return nil
			}
			return w.follow(*logged)
		case logged == nil:
			w.checkCopy(*kept)
			w.onlyCopied(*kept)
		default:
			w.checkPair(*logged, *kept)
		}
		return w.follow(*kept)
	})
}

func (w *walk) isNewer(m events.Message) bool { return m.Seq > w.head.Version && !w.bare }

func (w *walk) checkPair(logged, kept events.Message) {
	w.checkLogged(logged)
	w.checkCopy(kept)
	if logged.Hash != kept.Hash {
		w.find(audit.Differs, logged.Seq, "the log and its copy differ")
	}
}

// checkLogged reports whether a holder of the peppers, if there are peppers, wrote
// the record as it is.
func (w *walk) checkLogged(m events.Message) (intact bool) {
	if w.isNewer(m) {
		w.newer = append(w.newer, newerThanHead{m.Seq, audit.Broken, "the log has a record newer than its head"})
		return false
	}
	w.report.Log++
	prev := w.log.Hash
	if !w.begun {
		prev, w.begun = m.Prev, true
	}
	if err := events.VerifyMessages(prev, []events.Message{m}); err != nil {
		w.find(audit.Broken, m.Seq, "in the log, "+err.Error())
	}
	w.log = m
	return w.checkMAC(m, "in the log, ")
}

func (w *walk) checkCopy(m events.Message) {
	if w.isNewer(m) {
		return
	}
	w.report.Copies++
	prev := w.copy.Hash
	if m.Seq != w.copy.Seq+1 {
		prev = m.Prev
		trimmed := w.Trimmed && w.copy.Seq == 0
		if !w.begun && !trimmed { // otherwise withoutCopy has reported it, or the log itself is broken there
			w.find(audit.Gap, m.Seq, "the copy before it is missing, and that event is no longer in the log")
		}
	}
	if err := events.VerifyMessages(prev, []events.Message{m}); err != nil {
		w.find(audit.Broken, m.Seq, "among the copies, "+err.Error())
	}
	w.checkMAC(m, "among the copies, ")
	w.copy = m
}

// checkMAC checks the MAC of an event if its content matches its hash: otherwise
// the event is reported as broken. It reports whether both are right.
func (w *walk) checkMAC(m events.Message, where string) bool {
	if events.VerifyMessages(m.Prev, []events.Message{m}) != nil {
		return false
	}
	if !w.hasKeys() {
		return true
	}
	err := m.CheckMAC(w.Keys)
	if err != nil {
		w.find(kindOf(err, audit.WrongMAC), m.Seq, where+err.Error())
	}
	return err == nil
}

// isIntact reports whether the content of an event matches its hash and, if there
// are peppers, its hash matches its MAC.
func (w *walk) isIntact(m events.Message) bool {
	if w.hasKeys() {
		return m.CheckMAC(w.Keys) == nil
	}
	return events.VerifyMessages(m.Prev, []events.Message{m}) == nil
}

// kindOf is UnknownPepper for an error about an unknown pepper, and otherwise k.
func kindOf(err error, k audit.Kind) audit.Kind {
	if errors.Is(err, events.ErrUnknownKid) {
		return audit.UnknownPepper
	}
	return k
}

// withoutCopy judges an event of the log that has no copy. The copy of a recent
// event may not have arrived yet.
func (w *walk) withoutCopy(m events.Message) {
	if !w.isNewer(m) && m.Time.Before(w.now.Add(-audit.GracePeriod)) && !w.isUnsent(m.ID) {
		w.find(audit.Missing, m.Seq, "it is in the log and was never copied")
	}
}

// onlyCopied judges a copy without its event in the log. The log may lack only
// its beginning.
func (w *walk) onlyCopied(m events.Message) {
	switch {
	case w.isNewer(m):
		w.newer = append(w.newer, newerThanHead{m.Seq, audit.RolledBack, notInLog})
	case w.begun:
		w.find(audit.RolledBack, m.Seq, notInLog)
	}
}

const notInLog = "it was copied and is not in the log"

// recheckNewer compares the events that were newer than the first head with the
// head as it is now. An event and its head are committed together, and the copy
// is made later.
func (w *walk) recheckNewer() error {
	if len(w.newer) == 0 {
		return nil
	}
	version, err := w.version()
	if err != nil {
		return err
	}
	for _, n := range w.newer {
		if n.seq > version {
			w.find(n.kind, n.seq, n.detail)
		}
	}
	return nil
}

func (w *walk) find(k audit.Kind, seq uint64, detail string) {
	w.report.Findings = append(w.report.Findings, audit.Finding{Kind: k, ID: fmt.Sprintf("%s/%d", w.report.Stream, seq), Detail: detail})
}
