package datadir

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// ended is a data folder that a service has used: its event file has all events, and
// the store has noted the last one.
type ended struct {
	t   *testing.T
	dir string
}

func newEnded(t *testing.T) *ended {
	t.Helper()
	e := &ended{t, filepath.Join(t.TempDir(), "data")}
	e.use(func(f *Folder) { e.create(f, "ann") })
	return e
}

// use opens the folder, calls do, and sends all events.
func (e *ended) use(do func(*Folder)) { e.useAnd(do, true) }

func (e *ended) useAnd(do func(*Folder), note bool) {
	e.t.Helper()
	f, err := Open(e.t.Context(), e.dir, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	do(f)
	file, err := eventfile.Open(f.EventsPath(), f.Store.Deployment(), 3000)
	if err != nil {
		e.t.Fatal(err)
	}
	ms, err := f.Store.Pending(e.t.Context(), time.Now().Add(time.Hour), 100)
	var ids []string
	for _, m := range ms {
		ids = append(ids, m.ID)
		if err == nil {
			_, err = file.Put(e.t.Context(), []events.Message{m})
		}
	}
	if err == nil && note {
		err = f.Store.Sent(e.t.Context(), ids...)
	}
	for _, err := range []error{err, file.Close(), f.Close()} {
		if err != nil {
			e.t.Fatal(err)
		}
	}
}

func (e *ended) create(f *Folder, owner string) {
	e.t.Helper()
	_, _, err := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys}).Create(e.t.Context(), guard.Principal{Owner: owner}, "", token.Wish{})
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *ended) path(name string) string { return filepath.Join(e.dir, name) }

func (e *ended) read(name string) []byte {
	e.t.Helper()
	b, err := os.ReadFile(e.path(name))
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

func (e *ended) write(name string, b []byte) {
	e.t.Helper()
	if err := os.WriteFile(e.path(name), b, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// expect checks the events against the store. want is "" or a part of the error.
func (e *ended) expect(what, want string) {
	e.t.Helper()
	f, err := Open(e.t.Context(), e.dir, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	err = f.CheckEvents(e.t.Context())
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		e.t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// TestAStoreThatIsOlderThanItsEventsIsFound at whatever time the older store was
// copied: after a start, and between the file and the note of what was sent.
func TestAStoreThatIsOlderThanItsEventsIsFound(t *testing.T) {
	e := newEnded(t)
	e.expect("after its end", "")
	first := e.read(storeFile)
	e.useAnd(func(f *Folder) { e.create(f, "bob") }, false) // killed before the note
	e.expect("killed before the note", "")
	second := e.read(storeFile)
	e.use(func(f *Folder) { e.create(f, "ann"); e.create(f, "carol") })
	newest := e.read(storeFile)
	e.expect("the newest store", "")
	e.write(storeFile, first)
	e.expect("the first store", "is older than its events")
	e.write(storeFile, second)
	e.expect("the second store", "is older than its events")

	e.write(storeFile, newest)
	e.use(func(f *Folder) { e.create(f, "dave") })
	e.write(storeFile, newest)
	e.expect("one event later", "has event user/dave/1 of ")
}

// TestEventsThatAreNoProofOfANewerStoreAreAccepted: the file may be behind or gone, and
// may have lines that the service did not write.
func TestEventsThatAreNoProofOfANewerStoreAreAccepted(t *testing.T) {
	e := newEnded(t)
	lines := e.read(eventsFile)
	f, err := Open(t.Context(), e.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.create(f, "bob") // never sent
	f.Close()
	e.expect("the file is behind", "")
	forged := strings.ReplaceAll(string(lines), "user/ann", "user/eve")
	e.write(eventsFile, []byte(string(lines)+forged+"rubbish\n\n{\"a\":1}\ncut"))
	e.expect("forged lines and rubbish", "")
	if err := os.Remove(e.path(eventsFile)); err != nil {
		t.Fatal(err)
	}
	e.expect("no file", "")
	e.write(eventsFile, nil)
	e.expect("an empty file", "")
}

// TestTheCheckReadsOnlyTheEndOfTheFile: the time of a start must not grow with the
// number of events.
func TestTheCheckReadsOnlyTheEndOfTheFile(t *testing.T) {
	e := newEnded(t)
	e.use(func(f *Folder) {
		for range 4 {
			e.create(f, "bob")
		}
	})
	first, err := eventfile.Parts(e.path(eventsFile))
	if err != nil || len(first) < 2 {
		t.Fatalf("got the parts %v, %v, want several", first, err)
	}
	if err := os.Remove(first[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(first[0], 0o700); err != nil { // reading it fails
		t.Fatal(err)
	}
	f := &Folder{Dir: e.dir}
	if f.Keys, err = loadKeys(e.dir); err != nil {
		t.Fatal(err)
	}
	g, err := bolt.Open(e.path(storeFile), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	f.Store = g
	if err := f.CheckEvents(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("the first part is read: %v", err)
	}
}

// TestSupersededEventsSurviveTheirFile, and a line with a wrong MAC names no event.
func TestSupersededEventsSurviveTheirFile(t *testing.T) {
	e := newEnded(t)
	keys, err := ReadPeppers(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s, err := ReadSuperseded(e.dir, keys)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(2500) {
		s.Add("user/ann", i+1, events.Hash{byte(i), byte(i >> 8)}, at)
	}
	s.Add("settings", 7, events.Hash{7}, at.Add(time.Hour))
	s.Add("settings", 8, events.Hash{8}, at)
	s.Remove("settings", 8, events.Hash{8})
	if err := s.Write(e.dir, keys); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSuperseded(e.dir, keys)
	if err != nil || len(got.Faults) > 0 {
		t.Fatal(err, got.Faults)
	}
	for i := range uint64(2500) {
		if !got.Has("user/ann", i+1, events.Hash{byte(i), byte(i >> 8)}) {
			t.Errorf("event %d is lost", i+1)
		}
	}
	if got.Has("user/bob", 1, events.Hash{}) || got.Has("settings", 8, events.Hash{8}) || got.Has("settings", 7, events.Hash{8}) {
		t.Error("an event is superseded that was never added")
	}
	if n := got.Restores(); n[at] != 2500 || n[at.Add(time.Hour)] != 1 || len(n) != 2 {
		t.Errorf("got the restores %v", n)
	}
	other, err := events.ParseKeys("p1:" + strings.Repeat("REVG", 11))
	if err != nil {
		t.Fatal(err)
	}
	if forged, err := ReadSuperseded(e.dir, other); err != nil || len(forged.Faults) != 4 || forged.Has("settings", 7, events.Hash{7}) {
		t.Errorf("with other peppers: got %v, %v", forged.Faults, err)
	}
}
