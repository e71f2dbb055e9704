package compare

import (
	"errors"

	"apitoken/events"
	"apitoken/events/audit"
)

// readHead reads the head up to which the walk goes. A head that cannot be read
// is a finding, and the walk goes to the end of the log.
func (w *walk) readHead() (err error) {
	w.head, err = w.Store.Head(w.ctx, w.report.Stream)
	if errors.Is(err, events.ErrDamaged) {
		w.bare = true
		w.findHead(audit.Damaged, err.Error())
		return nil
	}
	if err == nil && w.hasKeys() {
		if bad := w.head.Check(w.Keys, w.report.Stream); bad != nil {
			w.find(kindOf(bad, audit.Unsealed), w.head.Version, bad.Error())
		}
	}
	return err
}

func (w *walk) findHead(k audit.Kind, detail string) {
	w.report.Findings = append(w.report.Findings, audit.Finding{Kind: k, ID: string(w.report.Stream), Detail: detail})
}

// version is the version of the head as it is now, 0 if the head cannot be read.
func (w *walk) version() (uint64, error) {
	head, err := w.Store.Head(w.ctx, w.report.Stream)
	if errors.Is(err, events.ErrDamaged) {
		return 0, nil
	}
	return head.Version, err
}

// checkHead compares the head with the last event of the log and of the copies,
// and the tokens in the head with the events.
func (w *walk) checkHead() {
	if w.bare {
		return
	}
	version := w.head.Version
	if w.begun && (w.log.Seq != version || w.log.Hash != w.head.Hash) {
		w.find(audit.Broken, version, "the head does not match the last event in the log")
	}
	if !w.begun && version > 0 && (w.head.KeepUntil.IsZero() || w.now.Before(w.head.KeepUntil)) {
		w.find(audit.RolledBack, version, "the log's events were removed before the end of their retention")
	}
	if w.copy.Seq == version && version > 0 && w.copy.Hash != w.head.Hash {
		w.find(audit.Differs, version, "the head does not match the last copy")
	}
	w.checkState()
}

// checkState compares the tokens that the head holds with the tokens that have
// not ended. It needs all events from the first to the head's.
func (w *walk) checkState() {
	if w.tokens.owner == "" || len(w.tokens.missing) > 0 || w.tokens.state.version() != w.head.Version {
		return
	}
	held, err := decodeState(w.report.Stream, w.head)
	if err != nil {
		w.find(audit.Damaged, w.head.Version, "the state in the head cannot be decoded")
		return
	}
	for _, v := range w.tokens.state.views() {
		if _, ok := held.Find(v.ID); !ok {
			w.findToken(v.ID, "the head does not hold the token, which did not end")
		}
	}
	for _, v := range held.views() {
		if _, ok := w.tokens.state.Find(v.ID); !ok {
			w.findToken(v.ID, "the head holds the token, which ended or was never created")
		}
	}
}

func (w *walk) findToken(id, detail string) {
	w.report.Findings = append(w.report.Findings, audit.View(audit.Differs, id, detail))
}
