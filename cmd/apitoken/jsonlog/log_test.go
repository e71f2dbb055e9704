package jsonlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestLinesAreThoseOfSlog compares lines of this package byte for byte with lines of
// slog.JSONHandler, for records with their attributes one by one and in one group
// without a name.
func TestLinesAreThoseOfSlog(t *testing.T) {
	at := time.Date(2026, 11, 27, 4, 5, 6, 789_000, time.FixedZone("", 3600))
	for _, attrs := range [][]slog.Attr{
		nil,
		{slog.String("operation", "create"), slog.String("owner", ""), slog.Int("status", 200), slog.Float64("duration_ms", 1.25)},
		{slog.String("user_agent", `curl "8" \ <&>`), slog.String("owner", "józef"), slog.String("path", "/a\x00\x7f\u2028\xff")},
		{slog.String("a \"name\"", "x"), slog.String("", ""), slog.Int("", 0)},
		{slog.Float64("f", 0), slog.Float64("f", -1.5), slog.Float64("f", 1e-7), slog.Float64("f", 1e21), slog.Float64("f", math.NaN()), slog.Float64("f", math.Inf(1))},
		{slog.Any("error", errors.New("it \"failed\"")), slog.Any("nothing", nil), {}},
		{slog.Group("group", slog.Int("in", 1)), slog.Group("", slog.Int("in", 1), slog.Group("", slog.String("deep", "x"))), slog.Group("")},
		{slog.Duration("d", time.Second), slog.Time("t", at), slog.Bool("b", true), slog.Uint64("u", 1<<63)},
	} {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelInfo + 1, slog.LevelError} {
			checkLine(t, at, level, "request", attrs)
		}
		checkLine(t, at, slog.LevelInfo, "a \"quoted\" message", attrs)
		checkLine(t, time.Time{}, slog.LevelInfo, "request", attrs)
		checkLine(t, at.AddDate(9000, 0, 0), slog.LevelInfo, "request", attrs)
	}
}

// TestRandomLinesAreThoseOfSlog compares random texts and numbers.
func TestRandomLinesAreThoseOfSlog(t *testing.T) {
	attr := rapid.Custom(func(t *rapid.T) slog.Attr {
		text := rapid.OneOf(rapid.StringMatching(`[ -~]*`), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		key := text.Draw(t, "key")
		return rapid.OneOf(
			rapid.Map(text, func(v string) slog.Attr { return slog.String(key, v) }),
			rapid.Map(rapid.Int64(), func(v int64) slog.Attr { return slog.Int64(key, v) }),
			rapid.Map(rapid.Float64(), func(v float64) slog.Attr { return slog.Float64(key, v) }),
			rapid.Map(rapid.Int64Range(0, 60_000_000), func(v int64) slog.Attr { return slog.Float64(key, float64(v)/1000) }),
		).Draw(t, "attribute")
	})
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(0, rapid.Int64().Draw(t, "time")).UTC()
		checkLine(t, at, slog.Level(rapid.IntRange(0, 12).Draw(t, "level")), "request", rapid.SliceOfN(attr, 0, 13).Draw(t, "attributes"))
	})
}

// checkLine writes the record in three ways and compares the lines.
func checkLine(t rapid.TB, at time.Time, level slog.Level, message string, attrs []slog.Attr) {
	t.Helper()
	oneByOne, group := slog.NewRecord(at, level, message, 0), slog.NewRecord(at, level, message, 0)
	oneByOne.AddAttrs(attrs...)
	group.AddAttrs(slog.Attr{Value: slog.GroupValue(attrs...)})
	var want bytes.Buffer
	handle(t, slog.NewJSONHandler(&want, nil), oneByOne)
	for name, r := range map[string]slog.Record{"attributes one by one": oneByOne, "attributes in a group": group} {
		var ofSlog, own bytes.Buffer
		handle(t, slog.NewJSONHandler(&ofSlog, nil), r)
		l := New(&own)
		handle(t, l.Logger().Handler(), r)
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if ofSlog.String() != want.String() || own.String() != want.String() {
			t.Errorf("%s:\n got %s\nslog %s\nwant %s", name, own.String(), ofSlog.String(), want.String())
		}
	}
}

func handle(t rapid.TB, h slog.Handler, r slog.Record) {
	t.Helper()
	if !h.Enabled(context.Background(), r.Level) {
		return
	}
	if err := h.Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// TestALineOfARequestIsNotGivenToSlog, since slog would need more CPU for it: without
// this test, the tests above would pass with no line of its own.
func TestALineOfARequestIsNotGivenToSlog(t *testing.T) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.Group("", slog.String("operation", "who-am-i"), slog.Int("status", 200), slog.Float64("duration_ms", 0.07)))
	if _, ok := appendRecord(nil, r); !ok {
		t.Error("the line needs slog.JSONHandler")
	}
}

// TestAttributesOfALoggerAreWritten: With and WithGroup work as with slog.
func TestAttributesOfALoggerAreWritten(t *testing.T) {
	var out bytes.Buffer
	l := New(&out)
	l.Logger().With("a", 1).WithGroup("g").Info("request", "b", 2)
	l.Flush()
	if want := `"msg":"request","a":1,"g":{"b":2}}` + "\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %s, want an end of %s", out.String(), want)
	}
}

// writes counts the writes and the lines in them.
type writes struct {
	mu    sync.Mutex
	each  []string
	fault error
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		return 0, w.fault
	}
	w.each = append(w.each, string(b))
	return len(b), nil
}

func (w *writes) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.each)
}

// TestLinesWaitTogetherForATenthOfASecond and then come in one write. The log of an
// idle service sets no timer.
func TestLinesWaitTogetherForATenthOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		log := New(&out).Logger()
		for round := range 3 {
			log.Info("first")
			time.Sleep(flushAfter - time.Millisecond)
			log.Info("second", "other", []int{1})
			synctest.Wait()
			if got := out.count(); got != round {
				t.Fatalf("before its time: got %d writes, want %d", got, round)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := out.count(); got != round+1 {
				t.Fatalf("got %d writes, want %d", got, round+1)
			}
			if got := strings.Count(out.each[round], "\n"); got != 2 {
				t.Errorf("got %d lines in one write, want 2", got)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestAWarningDoesNotWait, nor do the lines before it.
func TestAWarningDoesNotWait(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelWarn, slog.LevelError} {
		for _, value := range []any{"plain", []int{1}} {
			synctest.Test(t, func(t *testing.T) {
				var out writes
				log := New(&out).Logger()
				log.Info("before")
				log.Log(t.Context(), level, "a warning", "value", value)
				if len(out.each) != 1 || strings.Count(out.each[0], "\n") != 2 {
					t.Errorf("%v with %v: got the writes %q, want one with two lines", level, value, out.each)
				}
			})
		}
	}
}

// TestAFullBufferIsWrittenAtOnce, in whole lines.
func TestAFullBufferIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		log := New(&out).Logger()
		line := strings.Repeat("x", 1000)
		for range 200 {
			log.Info(line)
		}
		if got := out.count(); got != 3 {
			t.Errorf("200 lines of 1 KB: got %d writes at once, want 3", got)
		}
		for _, w := range out.each {
			if !strings.HasPrefix(w, `{"time":`) || !strings.HasSuffix(w, "}\n") || len(w) < full {
				t.Errorf("a write of %d bytes begins with %.10q and ends with %q", len(w), w, w[len(w)-2:])
			}
		}
	})
}

// TestNoLineIsLostOrMixed when many goroutines write.
func TestNoLineIsLostOrMixed(t *testing.T) {
	var out writes
	l := New(&out)
	log := l.Logger()
	const goroutines, each = 8, 500
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				log.Info("plain", "number", i)
				log.Info("other", "value", []int{i})
			}
		})
	}
	wg.Wait()
	l.Flush()
	lines := strings.SplitAfter(strings.Join(out.each, ""), "\n")
	if len(lines) != 2*goroutines*each+1 {
		t.Errorf("got %d lines, want %d", len(lines)-1, 2*goroutines*each)
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, `{"time":"`) || !strings.HasSuffix(line, "}\n") || strings.Count(line, "msg") != 1 {
			t.Fatalf("got the line %q", line)
		}
	}
}

// TestLinesThatCannotBeWrittenAreDropped: a full disk must not fill the memory. Later
// lines are written.
func TestLinesThatCannotBeWrittenAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := writes{fault: errors.New("no space left on device")}
		l := New(&out)
		if _, err := io.WriteString(l, "lost\n"); err != nil {
			t.Errorf("a line that waits: got %v", err)
		}
		if err := l.Flush(); !errors.Is(err, out.fault) {
			t.Errorf("got the error %v, want %v", err, out.fault)
		}
		out.fault = nil
		io.WriteString(l, "later\n")
		if l.Flush(); len(out.each) != 1 || out.each[0] != "later\n" {
			t.Errorf("got the writes %q, want only the later line", out.each)
		}
	})
}
