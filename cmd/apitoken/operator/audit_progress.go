package operator

import (
	"context"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/audit"
)

// auditProgress shows how many streams and copies a command has read, and how many
// tokens it has checked after the streams.
type auditProgress struct {
	*console.Progress
	total, streams, copies, tokens int
}

func newAuditProgress(e *console.Env) *auditProgress {
	return &auditProgress{Progress: e.StartProgress()}
}

func (p *auditProgress) show() {
	if p.tokens > 0 {
		p.Showf("streams: %d of %d, copies: %d, tokens: %d", p.streams, p.total, p.copies, p.tokens)
		return
	}
	p.Showf("streams: %d of %d, copies: %d", p.streams, p.total, p.copies)
}

func (p *auditProgress) streamDone() {
	p.streams++
	p.show()
}

func (p *auditProgress) tokenChecked() {
	p.tokens++
	p.show()
}

// counting returns a reader that counts the copies of r. A single stream may have
// most of them.
func (p *auditProgress) counting(r audit.Reader) audit.Reader { return countingReader{r, p} }

type countingReader struct {
	audit.Reader
	progress *auditProgress
}

func (r countingReader) Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	ms, err := r.Reader.Copy(ctx, s, after, limit)
	if r.progress.tokens == 0 { // the check of a token reads a copy again
		r.progress.copies += len(ms)
		r.progress.show()
	}
	return ms, err
}
