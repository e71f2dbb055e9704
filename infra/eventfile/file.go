// Package eventfile is a bus on one file that only grows. The file has a line of
// JSON for each message, in the form in which EventBridge delivers it. Other
// programs can follow the events of a local service there.
//
// All messages of a call are on the disk when Put returns. The lines have the
// order in which they were put. A call is written completely or not at all,
// except for messages that cannot be encoded; Put names those. Open removes a
// line that a crash cut short, because Put never reported that line as written.
//
// Only one process at a time may have the file open; the lock of the store in
// the same folder ensures that. The file is never rotated: move it away while
// the service is stopped.
package eventfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"apitoken/events"
)

// File is an open file of events. Many goroutines may use one File.
type File struct {
	mu   sync.Mutex
	f    *os.File
	size int64 // of the lines that are known to be on the disk
	torn bool  // the file may have more bytes than size
}

var _ events.Bus = (*File)(nil)

// Open opens the file at path. It creates a missing file with mode 0600, and
// repairs an existing one.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the event file: %w", err)
	}
	file := &File{f: f}
	if file.size, err = endOfLines(f); err == nil {
		err = errors.Join(file.cut(), f.Chmod(0o600), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the event file %s: %w", path, err), f.Close())
	}
	return file, nil
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
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Time       time.Time       `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

// Put implements events.Bus. It returns an error if the file could not be
// written or synced. Then no message counts as sent.
func (f *File) Put(ctx context.Context, ms []events.Message) (failed map[string]error, err error) {
	var lines bytes.Buffer
	for _, m := range ms {
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
		return nil, fmt.Errorf("writing %d events to %s: %w", len(ms), f.f.Name(), err)
	}
	return failed, nil
}

// writeLine adds the message's line. After an error it has added nothing.
func writeLine(w *bytes.Buffer, m events.Message) error {
	detail, err := m.Detail()
	if err != nil {
		return err
	}
	b, err := json.Marshal(line{Source: events.Source, DetailType: m.Type, Time: m.Time.UTC(), Detail: detail})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", m.ID, err)
	}
	w.Write(append(b, '\n'))
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
