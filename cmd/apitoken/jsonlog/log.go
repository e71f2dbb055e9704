// Package jsonlog writes the log of `apitoken serve`: the lines of
// slog.JSONHandler, byte for byte, with less CPU.
//
// It promises that a line reaches its file at most 100 ms after its record, that a
// line from WARN on is there when Handle returns, and that all lines are there when
// Flush returns. Every write to the file has whole lines, in the order of the
// records. A process that is killed loses the lines of its last 100 ms.
package jsonlog

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	full       = 64 << 10               // bytes that are written without waiting for more
	flushAfter = 100 * time.Millisecond // the longest time that a line waits
)

// Log collects lines and writes many of them at once: one write for each line costs
// the guarded request about 2 µs and a wake-up. Many goroutines may use it. It must
// not be copied.
type Log struct {
	out io.Writer

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while there are lines; nil before the first one
}

// New returns a log that writes to out. Flush must be called before the process ends.
func New(out io.Writer) *Log { return &Log{out: out, lines: make([]byte, 0, full+4<<10)} }

// Logger returns a logger for records from INFO on.
func (l *Log) Logger() *slog.Logger {
	return slog.New(handler{log: l, others: slog.NewJSONHandler(l, nil), plain: true})
}

// Write collects one or more whole lines. It implements io.Writer for
// slog.JSONHandler. It returns the error of out, if it writes.
func (l *Log) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(lines), l.collect(append(l.lines, lines...))
}

// collect replaces the lines by lines, which begin with them.
func (l *Log) collect(lines []byte) error {
	wasEmpty := len(l.lines) == 0
	l.lines = lines
	switch {
	case len(lines) >= full:
		return l.flush()
	case !wasEmpty:
	case l.timer == nil:
		l.timer = time.AfterFunc(flushAfter, func() { _ = l.Flush() })
	default:
		l.timer.Reset(flushAfter)
	}
	return nil
}

// Flush writes the collected lines.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

// flush drops lines that cannot be written, as slog does, so that a full disk does
// not fill the memory.
func (l *Log) flush() error {
	if len(l.lines) == 0 {
		return nil
	}
	_, err := l.out.Write(l.lines)
	l.lines = l.lines[:0]
	return err
}

// handler is the slog.Handler of a Log. It writes a plain record itself, and gives
// every other record to slog.JSONHandler.
type handler struct {
	log    *Log
	others slog.Handler
	plain  bool // it has no attributes and no group of its own
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.others.Enabled(ctx, level)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{log: h.log, others: h.others.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{log: h.log, others: h.others.WithGroup(name)}
}

// Handle writes the record. Lines from WARN on do not wait.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	done, err := h.handlePlain(r)
	if !done {
		err = h.others.Handle(ctx, r)
	}
	if err == nil && r.Level >= slog.LevelWarn {
		err = h.log.Flush()
	}
	return err
}

// handlePlain writes the record if it is a plain one.
func (h handler) handlePlain(r slog.Record) (done bool, err error) {
	if !h.plain {
		return false, nil
	}
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	lines, ok := appendRecord(h.log.lines, r)
	if !ok {
		return false, nil
	}
	return true, h.log.collect(lines)
}
