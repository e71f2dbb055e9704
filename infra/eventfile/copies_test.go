package eventfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/infra/eventfile"
)

// stream returns n messages of one stream.
func stream(t *testing.T, s events.Stream, n int) (ms []events.Message) {
	t.Helper()
	var head events.Head
	for i := range n {
		m := events.Meta{Command: fmt.Sprint(s, i, t.Name()), Actor: "ann", At: time.Now()}
		if i%2 == 1 {
			m.ActorVia, m.ActorAddress = events.ViaUI, "203.0.113.9"
		}
		c, err := events.NewCommit(storetest.Keys, s, head, m, []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		head = c.Head()
		published := c.Records()[0].Message()
		published.Deployment = deployment
		ms = append(ms, published)
	}
	return ms
}

// written returns the copies of a file with these messages, after change has
// changed the text of the file.
func written(t *testing.T, change func(string) string, ms ...events.Message) *eventfile.Copies {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := open(t, path)
	if failed, err := f.Put(t.Context(), ms); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(change(string(b))), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := eventfile.OpenCopies(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func unchanged(text string) string { return text }

// TestCopiesComeInOrderAndOnce has a file in another order and with repeats.
func TestCopiesComeInOrderAndOnce(t *testing.T) {
	ann, bob := stream(t, "user/ann", 12), stream(t, "user/bob", 2)
	mixed := append(slices.Clone(bob), ann...)
	slices.Reverse(mixed)
	notice := events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: time.Now(), Data: []byte(`{"v":1}`)}
	c := written(t, unchanged, append(append(mixed, notice), ann...)...)
	if got := c.Streams(); !slices.Equal(got, []events.Stream{"user/ann", "user/bob"}) || len(c.Faults) > 0 {
		t.Errorf("got streams %v, faults %v", got, c.Faults)
	}
	for _, q := range []struct{ after, limit, from, to int }{{0, 12, 0, 12}, {0, 5, 0, 5}, {5, 100, 5, 12}, {12, 1, 12, 12}} {
		got, err := c.Copy(t.Context(), "user/ann", uint64(q.after), q.limit)
		if want := ann[q.from:q.to]; err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("after %d at most %d: got %v, %v", q.after, q.limit, got, err)
		}
	}
	if got, err := c.Copy(t.Context(), "user/carol", 0, 1); len(got) > 0 || err != nil {
		t.Errorf("of a stream without copies: got %v, %v", got, err)
	}
}

func TestFaultyLinesAreNamed(t *testing.T) {
	ms := stream(t, "user/ann", 3)
	other := ms[1]
	other.Hash[0] ^= 1
	c := written(t, func(text string) string {
		lines := strings.SplitAfter(text, "\n")
		return lines[0] + "rubbish\n" + strings.Replace(lines[1], `"JhxND7ci"`, `"L7k8ljIC"`, 1) + lines[2] + lines[3]
	}, ms[0], ms[1], ms[1], other)
	var got []string
	for _, f := range c.Faults {
		got = append(got, fmt.Sprint(f.Line, f.ID))
	}
	if want := []string{"2", "3", "5user/ann/2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if kept, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || !reflect.DeepEqual(kept, ms[:2]) {
		t.Errorf("got %v, %v", kept, err)
	}
}

// TestARepeatWithAnotherMACIsAFault: a record MAC belongs to the content of a copy,
// though the hash does not cover it.
func TestARepeatWithAnotherMACIsAFault(t *testing.T) {
	ms := stream(t, "user/ann", 2)
	for what, mac := range map[string]events.Verifier{
		"another MAC": {Kid: ms[1].MAC.Kid, MAC: []byte("0123456789abcdef0123456789abcdef")},
		"another kid": {Kid: "other", MAC: ms[1].MAC.MAC},
	} {
		other := ms[1]
		other.MAC = mac
		c := written(t, unchanged, ms[0], ms[1], ms[1], other)
		if len(c.Faults) != 1 || c.Faults[0].Line != 4 || c.Faults[0].ID != "user/ann/2" {
			t.Errorf("%s: got faults %v, want line 4", what, c.Faults)
		}
		if kept, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || !reflect.DeepEqual(kept, ms) {
			t.Errorf("%s: got %v, %v, want the first of each", what, kept, err)
		}
	}
}

// TestAChangedRepeatIsAFault: the changed line still has the hash of the other line.
func TestAChangedRepeatIsAFault(t *testing.T) {
	ms := stream(t, "user/ann", 2)
	repeat := ms[0]
	repeat.Actor = "bob"
	c := written(t, unchanged, ms[0], ms[1], repeat)
	if len(c.Faults) != 1 || c.Faults[0].Line != 3 || c.Faults[0].ID != "user/ann/1" {
		t.Errorf("got faults %v, want line 3", c.Faults)
	}
}

// TestALineThatDiffersFromItsDetailIsNamed: programs read the members of the line. A
// comparison needs the event only.
func TestALineThatDiffersFromItsDetailIsNamed(t *testing.T) {
	for _, c := range [][2]string{
		{`{"source":"apitoken"`, `{"source":"other"`}, {`"detail-type":"TokenRevoked"`, `"detail-type":"TokenCreated"`},
		{`Z","detail":`, `+01:00","detail":`}, {`"detail-type":"TokenRevoked",`, ``},
	} {
		copies := written(t, func(text string) string { return strings.Replace(text, c[0], c[1], 1) }, stream(t, "user/ann", 2)...)
		if got := copies.Disagreeing; len(got) != 1 || got[0].Line != 1 || got[0].ID != "user/ann/1" {
			t.Errorf("%s: got %v, want line 1", c[1], got)
		}
		if got, err := copies.Copy(t.Context(), "user/ann", 0, 10); err != nil || len(got) != 2 || len(copies.Faults) > 0 {
			t.Errorf("%s: got %v, %v, faults %v, want both copies", c[1], got, err, copies.Faults)
		}
	}
}

// TestALineMayHaveTheEventAlone: audit export prints such lines.
func TestALineMayHaveTheEventAlone(t *testing.T) {
	ms := stream(t, "user/ann", 2)
	c := written(t, func(string) string {
		first, _ := ms[0].Detail()
		second, _ := ms[1].Detail()
		return string(first) + "\n" + string(second) + "\n"
	})
	if got, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || !reflect.DeepEqual(got, ms) || len(c.Faults)+len(c.Disagreeing) > 0 {
		t.Errorf("got %v, %v, faults %v and %v", got, err, c.Faults, c.Disagreeing)
	}
}

// TestPlaceIsTheFirstLineOfAnEvent, in each part.
func TestPlaceIsTheFirstLineOfAnEvent(t *testing.T) {
	path := threeParts(t)
	c, err := eventfile.OpenCopies(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for seq, want := range []string{" line 0", "events.000001.jsonl line 2", "events.000001.jsonl line 3", "events.000002.jsonl line 2", "events.000002.jsonl line 4", "events.jsonl line 1", "events.jsonl line 3", " line 0"} {
		if got := c.Place("user/ann", uint64(seq)); got.String() != want {
			t.Errorf("event %d: got %s, want %s", seq, got, want)
		}
	}
	for _, next := range []uint64{2, 3, 4, 5, 6} {
		before, after := c.Place("user/ann", next-1), c.Place("user/ann", next)
		if !before.Before(after) || after.Before(before) || before.Before(before) {
			t.Errorf("the lines %s and %s are in another order", before, after)
		}
	}
}

// TestAPartThatBeginsMeanwhileIsReadToo: the oldest part is a named pipe, so the test
// knows when it is opened. Then the newest part gets its number, before it is opened.
func TestAPartThatBeginsMeanwhileIsReadToo(t *testing.T) {
	ms, path := stream(t, "user/ann", 3), newPath(t)
	oldest := filepath.Join(t.TempDir(), "events.000001.jsonl")
	if err := os.WriteFile(oldest, []byte(lineOf(t, ms[0])), 0o600); err != nil {
		t.Fatal(err)
	}
	f := openSmall(t, path)
	put(t, f, ms[1])
	if err := syscall.Mkfifo(partOf(path, 1), 0o600); err != nil {
		t.Skipf("SKIPPED: needs named pipes: %v", err)
	}
	changed := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(partOf(path, 1), os.O_WRONLY, 0) // waits for the reader
		if err != nil {
			changed <- err
			return
		}
		_, err = f.Put(context.Background(), ms[2:])
		changed <- errors.Join(err, os.Rename(oldest, partOf(path, 1)), pipe.Close())
	}()
	c, err := eventfile.OpenCopies(path)
	if err := errors.Join(err, <-changed); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expectParts(t, path, "events.000001.jsonl", "events.000002.jsonl", "events.jsonl")
	if got, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || !reflect.DeepEqual(got, ms) || len(c.Faults) > 0 {
		t.Errorf("got %v, %v, faults %v, want all three events", got, err, c.Faults)
	}
}

// TestAnIncompleteLastLineIsIgnored: Open removes such a line too.
func TestAnIncompleteLastLineIsIgnored(t *testing.T) {
	c := written(t, func(text string) string { return text[:len(text)-1] }, stream(t, "user/ann", 2)...)
	if got, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || len(got) != 1 || len(c.Faults) > 0 {
		t.Errorf("got %v, %v, faults %v", got, err, c.Faults)
	}
}
