package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/relay"
	"apitoken/events/storetest"
	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// scene is a store with its event file and a server, in one folder.
type scene struct {
	t      *testing.T
	dir    string
	server *Server
	stop   func()
	log    *lockedText
	heads  int
}

// lockedText collects what the server writes.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newScene(t *testing.T, dir string) *scene {
	t.Helper()
	store, err := bolt.Open(filepath.Join(dir, "apitoken.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	file, err := eventfile.Open(filepath.Join(dir, "events.jsonl"), store.Deployment(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	x := &scene{t: t, dir: dir, log: &lockedText{}}
	x.server = &Server{Store: store, Events: file, Logger: slog.New(slog.NewTextHandler(x.log, nil))}
	x.start()
	t.Cleanup(func() {
		x.stop()
		if err := errors.Join(file.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *scene) start() {
	x.t.Helper()
	stop, err := x.server.Start(x.t.Context(), x.dir)
	if err != nil {
		x.t.Fatal(err)
	}
	x.stop = stop
}

// commit makes a new stream with one event.
func (x *scene) commit(ctx context.Context) error {
	x.heads++
	stream := events.UserStream(fmt.Sprint("u", x.heads))
	m := events.Meta{Command: "c", Actor: "ann", At: time.Now()}
	c, err := events.NewCommit(storetest.Keys, stream, events.Head{}, m, []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}}, 1, []byte("{}"), events.Effect{})
	if err == nil {
		err = x.server.Store.Commit(ctx, c)
	}
	return err
}

// TestTheStoreAndTheMarkAreOfOneMoment takes snapshots while commits and the relay go
// on. No event before the mark is missing in the store, and each event of the store is
// before the mark or in the outbox. Otherwise a restored folder would seem older than
// its events, or would lack events.
func TestTheStoreAndTheMarkAreOfOneMoment(t *testing.T) {
	x := newScene(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r := relay.New(relay.Config{Outbox: x.server.Store, Bus: x.server.Events, Logger: slog.New(slog.DiscardHandler)})
	go func() {
		for ctx.Err() == nil {
			if err := x.commit(context.WithoutCancel(ctx)); err != nil {
				done <- err
				return
			}
			if _, err := r.Once(context.WithoutCancel(ctx)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 40 {
		x.checkSnapshot()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (x *scene) checkSnapshot() {
	t := x.t
	t.Helper()
	in, err := Connect(t.Context(), x.dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := in.Open()
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	copies, err := eventfile.OpenCopiesUntil(filepath.Join(x.dir, "events.jsonl"), in.Events)
	if err != nil {
		t.Fatal(err)
	}
	defer copies.Close()
	kept := map[events.Stream]bool{}
	for _, s := range copies.Streams() {
		kept[s] = true
		if head, err := store.Head(t.Context(), s); err != nil || head.Version == 0 {
			t.Errorf("%s is before the mark and not in the store (%v)", s, err)
		}
	}
	pending, err := store.Pending(t.Context(), time.Now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range pending {
		kept[m.Stream] = true
	}
	for i := 1; ; i++ {
		s := events.UserStream(fmt.Sprint("u", i))
		head, err := store.Head(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if head.Version == 0 {
			return
		}
		if !kept[s] {
			t.Errorf("%s is in the store, and neither before the mark nor in the outbox", s)
		}
	}
}

// TestOnlyTheOwnerCanConnect under any umask.
func TestOnlyTheOwnerCanConnect(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	x := newScene(t, t.TempDir())
	info, err := os.Stat(filepath.Join(x.dir, Name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want the mode 0600", info.Mode(), err)
	}
	x.stop()
	if _, err := os.Lstat(filepath.Join(x.dir, Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end the socket is there: %v", err)
	}
	x.start()
}

// TestASocketOfAKilledProcessIsReplaced, and until then no service listens there.
func TestASocketOfAKilledProcessIsReplaced(t *testing.T) {
	dir := t.TempDir()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, Name), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if _, err := Connect(t.Context(), dir); !errors.Is(err, ErrNoService) {
		t.Errorf("got %v, want ErrNoService", err)
	}
	x := newScene(t, dir)
	in, err := Connect(t.Context(), x.dir)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, in); err != nil || n != in.Size {
		t.Errorf("got %d of %d bytes, %v", n, in.Size, err)
	}
	in.Close()
}

// TestNothingButASocketIsUsed: neither side follows a link or removes another file.
func TestNothingButASocketIsUsed(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a file":   func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":   func(path string) error { return os.Symlink("elsewhere", path) },
	} {
		dir := t.TempDir()
		if err := make(filepath.Join(dir, Name)); err != nil {
			t.Fatal(err)
		}
		_, err := (&Server{}).Start(t.Context(), dir)
		_, cerr := Connect(t.Context(), dir)
		for _, err := range []error{err, cerr} {
			if err == nil || errors.Is(err, ErrNoService) || !strings.Contains(err.Error(), "is not a socket: remove it") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := os.Lstat(filepath.Join(dir, Name)); err != nil {
			t.Errorf("%s: it was removed: %v", name, err)
		}
	}
}

// TestAReceiverThatDoesNotReadIsDropped, and the server's end drops all others. No
// receiver takes a part of a store for the whole.
func TestAReceiverThatDoesNotReadIsDropped(t *testing.T) {
	x := newScene(t, t.TempDir())
	x.fill()
	x.stop()
	x.server.stall = 50 * time.Millisecond
	x.start()
	x.expectDropped("the receiver stalls", func() {
		for deadline := time.Now().Add(time.Minute); !strings.Contains(x.log.String(), "its receiver did not read it"); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log has %s", x.log)
			}
		}
	})
	x.stop()
	x.server.stall = 0
	x.start()
	x.expectDropped("the server ends", x.stop)
	x.start()
}

// fill makes the store larger than the buffers of a socket.
func (x *scene) fill() {
	for i := range 400 {
		v := events.View{ID: fmt.Sprintf("t%07d", i), Owner: "bob", Description: strings.Repeat("x", 3000)}
		m := events.Meta{Command: "c", Actor: "ann", At: time.Now()}
		c, err := events.NewCommit(storetest.Keys, events.UserStream(fmt.Sprint("b", i)), events.Head{}, m, []events.Fact{events.TokenRevoked{TokenID: v.ID, Owner: "bob"}}, 1, []byte("{}"), events.Effect{Minted: []events.View{v}})
		if err == nil {
			err = x.server.Store.Commit(x.t.Context(), c)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *scene) expectDropped(when string, drop func()) {
	x.t.Helper()
	in, err := Connect(x.t.Context(), x.dir)
	if err != nil {
		x.t.Fatal(err)
	}
	defer in.Close()
	drop()
	n, err := io.Copy(io.Discard, in)
	if n >= in.Size || !errors.Is(err, io.ErrUnexpectedEOF) {
		x.t.Errorf("%s: got %d of %d bytes, %v", when, n, in.Size, err)
	}
}
