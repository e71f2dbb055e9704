// Package eventfile is a bus on a file in parts. The file has a line of JSON for each
// message, in the form in which EventBridge delivers it. Other programs can follow the
// events of a local service there.
//
// The newest part has the name of the file, events.jsonl. When it is full it becomes
// events.000001.jsonl, the next one events.000002.jsonl, and so on: a part is renamed
// once and never changes afterwards. The rename is one step, and a new empty part is
// made after it. If the process is killed between the two, Open makes the new part.
// So no line is lost, repeated or moved to another place in the order.
//
// All messages of a call are on the disk when Put returns. The lines have the
// order in which they were put. A call is written completely or not at all,
// except for messages that cannot be encoded; Put names those. Open removes a
// line that a crash cut short, because Put never reported that line as written.
//
// Only one process at a time may have the file open; the lock of the store in
// the same folder ensures that. The package deletes no part. Another program may move
// or delete numbered parts at any time, but the newest of them should stay: the number
// of the next part is one more than the highest number that is there.
package eventfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"apitoken/events"
	"apitoken/events/instant"
)

// File is an open file of events. Many goroutines may use one File.
type File struct {
	path       string
	deployment string
	full       int64

	mu   sync.Mutex
	f    *os.File // the newest part
	size int64    // of the lines that are known to be on the disk
	torn bool     // the file may have more bytes than size
}

// DefaultPart is the size of a part in bytes that suits a service: about 80,000
// events. Tools that read a whole file still handle such a part, and a year of 10,000
// events a day has about 45 of them.
const DefaultPart = 100_000_000

var _ events.Bus = (*File)(nil)

// Open opens the file at path for the messages of the deployment with this id. It
// creates a missing file with mode 0600, and repairs an existing one. A part has at
// most full bytes, or one call of Put if the call has more.
func Open(path, deployment string, full int64) (*File, error) {
	file := &File{path: target(path), deployment: deployment, full: full}
	if err := file.openNewest(); err != nil {
		return nil, err
	}
	return file, nil
}

// openNewest opens the newest part, or makes it. Its name is then durable.
func (f *File) openNewest() error {
	opened, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the event file: %w", err)
	}
	newest := &File{f: opened}
	if newest.size, err = endOfLines(opened); err == nil {
		err = errors.Join(newest.cut(), opened.Chmod(0o600), syncFolder(filepath.Dir(f.path)))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening the event file %s: %w", f.path, err), opened.Close())
	}
	f.f, f.size, f.torn = opened, newest.size, false
	return nil
}

// rotate begins a new part. If it fails, the next call tries again, and does not rename
// a second time.
func (f *File) rotate() error {
	if err := f.f.Sync(); err != nil { // a cut may not be on the disk
		return err
	}
	if err := f.renameFull(); err != nil {
		return err
	}
	full := f.f
	if err := f.openNewest(); err != nil {
		return err
	}
	return full.Close()
}

// renameFull gives the newest part its number. It does nothing if the part has no
// longer the name of the newest one.
func (f *File) renameFull() error {
	named, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	open, oerr := f.f.Stat()
	if err := errors.Join(err, oerr); err != nil {
		return err
	}
	if !os.SameFile(named, open) {
		return nil
	}
	numbers, err := partNumbers(f.path)
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	return os.Rename(f.path, partPath(f.path, next))
}

// Writable returns an error if the newest part is no longer under its name, or if this
// process could not open it for writing now: because of its mode, or because the file
// system is mounted only for reading. It writes nothing, because other programs follow
// the file, so it does not notice a full disk.
func (f *File) Writable() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	named, err := os.OpenFile(f.path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("opening the event file for writing: %w", err)
	}
	defer named.Close()
	there, err := named.Stat()
	open, oerr := f.f.Stat()
	if err := errors.Join(err, oerr); err != nil {
		return fmt.Errorf("looking at the event file: %w", err)
	}
	if !os.SameFile(there, open) {
		return fmt.Errorf("the event file %s was replaced by another file", f.path)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("closing the event file: %w", err)
	}
	return nil
}

// line has the members of an EventBridge event that do not belong to AWS.
type line struct {
	beginning
	Detail json.RawMessage `json:"detail"`
}

// beginning has the members before the detail.
type beginning struct {
	Source     string       `json:"source"`
	DetailType string       `json:"detail-type"`
	Time       instant.Time `json:"time"`
}

// Put implements events.Bus. It returns an error if the file could not be
// written or synced. Then no message counts as sent.
func (f *File) Put(ctx context.Context, ms []events.Message) (failed map[string]error, err error) {
	var lines bytes.Buffer
	for _, m := range ms {
		m.Deployment = f.deployment
		if err := writeLine(&lines, m); err != nil {
			if failed == nil {
				failed = map[string]error{}
			}
			failed[m.ID] = err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("writing %d events: %w", len(ms), err)
	}
	if err := f.append(lines.Bytes()); err != nil {
		return nil, fmt.Errorf("writing %d events to %s: %w", len(ms), f.path, err)
	}
	return failed, nil
}

// writeLine adds the message's line. After an error it has added nothing. The detail is
// finished JSON: as a member of line, encoding/json would check and copy it again,
// which takes as long as encoding it.
func writeLine(w *bytes.Buffer, m events.Message) error {
	detail, err := m.Detail()
	if err != nil {
		return err
	}
	b, err := json.Marshal(beginning{Source: events.Source, DetailType: m.Type, Time: instant.Of(m.Time)})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", m.ID, err)
	}
	w.Write(b[:len(b)-len("}")])
	w.WriteString(`,"detail":`)
	w.Write(detail)
	w.WriteString("}\n")
	return nil
}

// append writes the lines after the last complete one and syncs. After a failure
// the file may have a part of them. That part is cut off before the next write.
func (f *File) append(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if f.torn {
		if err := f.cut(); err != nil {
			return err
		}
	}
	if f.size > 0 && f.size+int64(len(lines)) > f.full {
		if err := f.rotate(); err != nil {
			return fmt.Errorf("beginning a new part: %w", err)
		}
	}
	f.torn = true
	if _, err := f.f.WriteAt(lines, f.size); err != nil {
		return errors.Join(err, f.cut())
	}
	if err := f.f.Sync(); err != nil {
		return errors.Join(err, f.cut())
	}
	f.size += int64(len(lines))
	f.torn = false
	return nil
}

// cut makes the file end after its last complete line.
func (f *File) cut() error {
	if err := f.f.Truncate(f.size); err != nil {
		return fmt.Errorf("removing an incomplete line: %w", err)
	}
	f.torn = false
	return nil
}

// endOfLines is the length of the file up to the end of its last complete line.
// It reads backwards, so a long file takes no longer than a short one.
func endOfLines(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("measuring the file: %w", err)
	}
	block := make([]byte, 64<<10)
	for end > 0 {
		start := max(0, end-int64(len(block)))
		b := block[:end-start]
		if _, err := f.ReadAt(b, start); err != nil {
			return 0, fmt.Errorf("reading the end of the file: %w", err)
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// syncFolder makes the name of a new file durable.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening the folder of the file: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
