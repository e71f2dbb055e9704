package console

import (
	"fmt"
	"io"
	"time"
)

const (
	quietTime  = 500 * time.Millisecond // shorter work shows no progress
	redrawTime = 100 * time.Millisecond // between two lines
)

// Progress is a line on standard error that shows how far a long work is. It is on a
// terminal only, and it is erased at the end.
//
// A message of Env erases the line. Data that the work prints meanwhile must go
// through Write, because standard output may be the same terminal.
type Progress struct {
	e      *Env
	draws  bool      // standard error is a terminal
	shared bool      // standard output is a terminal too, probably the same
	next   time.Time // no line before
	drawn  bool      // a line is on the terminal
}

var _ io.Writer = (*Progress)(nil)

// StartProgress begins a work. The caller calls End when the work is done or has
// failed. One Env has one Progress at a time.
func (e *Env) StartProgress() *Progress {
	e.progress = &Progress{e: e, draws: e.takesEscapes(e.Err), shared: IsTerminal(e.Out), next: e.clock().Add(quietTime)}
	return e.progress
}

// Showf replaces the line. It may be called often: it writes ten times a second at
// most, and not in the first half second.
func (p *Progress) Showf(format string, args ...any) {
	if !p.draws || p.e.clock().Before(p.next) {
		return
	}
	line := shorten(Plain(fmt.Sprintf(format, args...)), p.e.width(p.e.Err)-1)
	fmt.Fprint(p.e.Err, "\r\x1b[K"+line)
	p.drawn, p.next = true, p.e.clock().Add(redrawTime)
}

// Write writes data to standard output. It erases the line first if both are on a
// terminal.
func (p *Progress) Write(data []byte) (int, error) {
	if p.shared {
		p.hide()
	}
	return p.e.Out.Write(data)
}

// End erases the line.
func (p *Progress) End() {
	p.hide()
	p.e.progress = nil
}

func (p *Progress) hide() {
	if p != nil && p.drawn {
		fmt.Fprint(p.e.Err, "\r\x1b[K")
		p.drawn = false
	}
}
