package eventfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/bustest"
	"apitoken/events/instant"
	"apitoken/infra/eventfile"
)

// deployment is the id of the deployment in the events of the tests.
const deployment = "51af3dc0-da77-11e4-872e-1234567db123"

func open(t *testing.T, path string) *eventfile.File {
	t.Helper()
	f, err := eventfile.Open(path, deployment, eventfile.DefaultPart)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "events.jsonl") }

// read reads the messages of the file. Every line must be complete.
func read(path string) (ms []events.Message, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for text := range bytes.Lines(b) {
		var line struct {
			Source     string          `json:"source"`
			DetailType string          `json:"detail-type"`
			Time       string          `json:"time"`
			Detail     json.RawMessage `json:"detail"`
		}
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("line %q: %w", text, err)
		}
		m, err := events.ParseDetail(line.Detail)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", text, err)
		}
		if line.Source != events.Source || line.DetailType != m.Type || line.Time != instant.Format(m.Time) {
			return nil, fmt.Errorf("line %q: its members do not agree with its detail", text)
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func TestFileKeepsThePromisesOfTheBus(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Subject {
		path := newPath(t)
		return bustest.Subject{
			Bus: open(t, path), Deployment: deployment, Ordered: true,
			Arrived: func() ([]events.Message, error) { return read(path) },
		}
	})
}

func message(n int) events.Message {
	return events.Message{ID: fmt.Sprint("notice/", n), Type: "TokenExpiring", V: 1, Time: time.Now().UTC(), Data: []byte(`{"v":1}`)}
}

func put(t *testing.T, f *eventfile.File, ms ...events.Message) {
	t.Helper()
	if failed, err := f.Put(t.Context(), ms); err != nil || failed != nil {
		t.Fatalf("Put: got %v, %v, want all accepted", failed, err)
	}
}

func expectIDs(t *testing.T, path string, want ...int) {
	t.Helper()
	ms, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := "", ""
	for _, m := range ms {
		got += m.ID + " "
	}
	for _, n := range want {
		wanted += message(n).ID + " "
	}
	if got != wanted {
		t.Errorf("the file has %q, want %q", got, wanted)
	}
}

func TestOpenRemovesALineThatWasCutAnywhere(t *testing.T) {
	path := newPath(t)
	f := open(t, path)
	put(t, f, message(1))
	put(t, f, message(2))
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for end := first; end < len(whole); end++ {
		if err := os.WriteFile(path, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		put(t, f, message(3))
		f.Close()
		expectIDs(t, path, 1, 3)
	}
}

// TestOpenRemovesAnIncompleteEndOfAnyLength has ends that are longer than one
// read of the file, and the zeros that a file system leaves after a power failure.
func TestOpenRemovesAnIncompleteEndOfAnyLength(t *testing.T) {
	for _, end := range []string{"{", strings.Repeat("x", 64<<10), strings.Repeat("\x00", 300_000)} {
		path := newPath(t)
		f := open(t, path)
		put(t, f, message(1))
		f.Close()
		whole, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, append(whole, end...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		put(t, open(t, path), message(2))
		expectIDs(t, path, 1, 2)
	}
	path := newPath(t)
	if err := os.WriteFile(path, []byte("only an incomplete line"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, path), message(1))
	expectIDs(t, path, 1)
}

// TestAFailedWriteLeavesNoIncompleteLine limits the size of files, so that
// the system writes a part and refuses the rest, as a full disk does.
func TestAFailedWriteLeavesNoIncompleteLine(t *testing.T) {
	path := newPath(t)
	f := open(t, path)
	put(t, f, message(1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	restore := limitFiles(t, uint64(info.Size())+300)
	failed, err := f.Put(t.Context(), []events.Message{message(2), message(3), message(4)})
	restore()
	if !errors.Is(err, syscall.EFBIG) || failed != nil {
		t.Errorf("Put: got %v, %v, want %v for the whole call", failed, err, syscall.EFBIG)
	}
	expectIDs(t, path, 1)
	put(t, f, message(5))
	expectIDs(t, path, 1, 5)
}

func limitFiles(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
}

func TestOnlyTheOwnerOfTheFileMayReadIt(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode: got %o, want 600", got)
	}
}

func TestFaultsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "events.jsonl")
	if _, err := eventfile.Open(path, deployment, eventfile.DefaultPart); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open in a missing folder: got %v, want an error that names %s", err, path)
	}
	path = newPath(t)
	f := open(t, path)
	f.Close()
	if _, err := f.Put(t.Context(), []events.Message{message(1)}); !errors.Is(err, fs.ErrClosed) || !strings.Contains(err.Error(), path) {
		t.Errorf("Put after Close: got %v, want an error that names %s", err, path)
	}
}

// TestLinesAreThoseOfEncodingJSON: the detail is appended to a line and not encoded a
// second time. The bytes are the same, also of texts that JSON escapes.
func TestLinesAreThoseOfEncodingJSON(t *testing.T) {
	path := newPath(t)
	f := open(t, path)
	var want bytes.Buffer
	for _, text := range []string{"TokenCreated", `a "quoted" <text> & \`, "é\u2028\x00\xff"} {
		m := events.Message{ID: "n/" + text, Type: text, V: 1, Time: time.Unix(1, 5000).UTC(), Actor: text, Data: []byte(`{"a": "<&>", "b":  1}`)}
		if failed, err := f.Put(t.Context(), []events.Message{m}); err != nil || len(failed) > 0 {
			t.Fatal(failed, err)
		}
		m.Deployment = deployment
		detail, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		e := json.NewEncoder(&want)
		err = e.Encode(struct {
			Source     string          `json:"source"`
			DetailType string          `json:"detail-type"`
			Time       instant.Time    `json:"time"`
			Detail     json.RawMessage `json:"detail"`
		}{events.Source, m.Type, instant.Of(m.Time), detail})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
}
