package eventfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"apitoken/events"
	"apitoken/infra/eventfile"
)

// markOf is the end of an open file.
func markOf(t *testing.T, f *eventfile.File) (m eventfile.Mark) {
	t.Helper()
	err := f.Still(func(end eventfile.Mark) error {
		m = end
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAMarkStaysTheSamePlaceWhenItsPartGetsANumber: later lines and later parts do
// not belong to what was before the mark.
func TestAMarkStaysTheSamePlaceWhenItsPartGetsANumber(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	all := stream(t, "user/ann", 6)
	put(t, f, all[0])
	put(t, f, all[1])
	mark := markOf(t, f)
	for _, m := range all[2:] {
		put(t, f, m)
	}
	for _, when := range []string{"after a rename", "after a removal of a later part"} {
		c, err := eventfile.OpenCopiesUntil(path, mark)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if ms, err := c.Copy(t.Context(), "user/ann", 0, 10); err != nil || len(ms) != 2 {
			t.Errorf("%s: got %d copies, %v, want the 2 before the mark", when, len(ms), err)
		}
		parts, err := eventfile.OpenParts(path, mark)
		if err != nil {
			t.Fatal(err)
		}
		if last := parts[len(parts)-1]; last.Name != "events.jsonl" || last.Size != mark.Size {
			t.Errorf("%s: got the last part %s with %d bytes", when, last.Name, last.Size)
		}
		if err := errors.Join(eventfile.CloseParts(parts), os.RemoveAll(path)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAMarkWhosePartIsGoneIsAnError: an incomplete file must not pass for a whole one.
func TestAMarkWhosePartIsGoneIsAnError(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	put(t, f, stream(t, "user/ann", 1)...)
	mark := markOf(t, f)
	kept := path + ".kept" // it keeps the inode in use
	if err := errors.Join(os.Link(path, kept), os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := eventfile.OpenParts(path, mark); err == nil {
		t.Error("it is opened")
	}
}

func TestTheEndOfAFileIsAfterItsLastWholeLine(t *testing.T) {
	path := newPath(t)
	if m, err := eventfile.End(path); err != nil || m != (eventfile.Mark{}) {
		t.Errorf("without a file: got %+v, %v", m, err)
	}
	if err := os.WriteFile(path, []byte("one\ntwo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := eventfile.End(path); err != nil || m.Size != 4 || m.Inode == 0 {
		t.Errorf("got %+v, %v, want 4 bytes", m, err)
	}
}

// TestBackwardsReadsEachLineOnceInAllParts, also lines that are longer than a block.
func TestBackwardsReadsEachLineOnceInAllParts(t *testing.T) {
	path := newPath(t)
	f := openSmall(t, path)
	all := stream(t, "user/ann", 40)
	for _, m := range all {
		put(t, f, m)
	}
	expectBackwards(t, path, all)
	whole := newPath(t)
	g := open(t, whole)
	put(t, g, all...)
	for range 6 {
		all = append(all, all...)
		put(t, g, all[len(all)/2:]...)
	}
	file, err := os.OpenFile(whole, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString("{}\nrubbish")
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	expectBackwards(t, whole, all)
	looked := 0
	err = eventfile.Backwards(whole, func(events.Message) (bool, error) {
		looked++
		return looked < 3, nil
	})
	if err != nil || looked != 3 {
		t.Errorf("got %d events, %v, want 3", looked, err)
	}
}

func expectBackwards(t *testing.T, path string, want []events.Message) {
	t.Helper()
	n := len(want)
	err := eventfile.Backwards(path, func(m events.Message) (bool, error) {
		if n--; n < 0 || m.ID != want[n].ID {
			t.Errorf("got %s at place %d", m.ID, n)
		}
		return n >= 0, nil
	})
	if err != nil || n != 0 {
		t.Errorf("got %v, and %d events were not read", err, n)
	}
}

// TestASupersededLineGivesItsPlaceToTheNextOne: after a restore the file has two events
// with one id. The other one is no fault then.
func TestASupersededLineGivesItsPlaceToTheNextOne(t *testing.T) {
	old, later := stream(t, "user/ann", 3), stream(t, "user/ann", 3)
	later[0] = old[0]
	c := written(t, unchanged, append(old, later[1:]...)...)
	if len(c.Faults) != 2 {
		t.Errorf("got the faults %v, want two", c.Faults)
	}
	others, err := c.Others("user/ann")
	if err != nil || len(others) != 2 || others[0].Hash != later[1].Hash {
		t.Errorf("got the others %v, %v", others, err)
	}
	c.Supersede(func(_ events.Stream, seq uint64, h events.Hash) bool { return h == old[1].Hash || h == old[2].Hash })
	ms, err := c.Copy(t.Context(), "user/ann", 0, 10)
	if err != nil || len(c.Faults) != 0 || len(ms) != 3 || ms[1].Hash != later[1].Hash {
		t.Errorf("got %d copies, the faults %v, %v", len(ms), c.Faults, err)
	}
	if others, err = c.Others("user/ann"); err != nil || len(others) != 2 || others[0].Hash != old[1].Hash {
		t.Errorf("got the others %v, %v", others, err)
	}
	if !c.Holds("user/ann", 2, old[1].Hash) || c.Holds("user/ann", 9, old[1].Hash) {
		t.Error("Holds is wrong about the lines of the file")
	}
	c.Supersede(func(events.Stream, uint64, events.Hash) bool { return true })
	if len(c.Streams()) != 0 || len(c.AllStreams()) != 1 {
		t.Errorf("got the streams %v of %v", c.Streams(), c.AllStreams())
	}
}

// TestPartsHaveTheNamesOfTheFileBehindALinkToo: a backup of a file on another disk is
// restored as a file in the folder.
func TestPartsHaveTheNamesOfTheFileBehindALinkToo(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "other.log")
	path := newPath(t)
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	f := openSmall(t, path)
	for _, m := range stream(t, "user/ann", 4) {
		put(t, f, m)
	}
	parts, err := eventfile.OpenParts(path, markOf(t, f))
	if err != nil {
		t.Fatal(err)
	}
	defer eventfile.CloseParts(parts)
	for i, want := range []string{"events.000001.jsonl", "events.000002.jsonl"} {
		if parts[i].Name != want {
			t.Errorf("got %s, want %s", parts[i].Name, want)
		}
	}
	if last := parts[len(parts)-1]; last.Name != "events.jsonl" || len(parts) < 3 {
		t.Errorf("got %d parts, the last one %s", len(parts), last.Name)
	}
}
