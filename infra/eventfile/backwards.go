package eventfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"apitoken/events"
)

// Backwards calls do for each event of the file at path, the last one first, until do
// returns false or an error. It reads no more of the file than do needs. It skips a
// line that is not an event, and a last line without an end. A part that is moved away
// meanwhile is not read.
func Backwards(path string, do func(events.Message) (more bool, err error)) error {
	names, err := Parts(path)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening the event file: %w", err)
		}
		more, err := backwardsIn(f, do)
		if err = errors.Join(err, f.Close()); err != nil || !more {
			return err
		}
	}
	return nil
}

func backwardsIn(f *os.File, do func(events.Message) (bool, error)) (more bool, err error) {
	at, err := endOfLines(f)
	if err != nil {
		return false, fmt.Errorf("reading the event file %s: %w", f.Name(), err)
	}
	var rest []byte // the end of a line whose beginning is before at
	block := make([]byte, 64<<10)
	for at > 0 {
		start := max(0, at-int64(len(block)))
		b := block[:at-start]
		if _, err := f.ReadAt(b, start); err != nil {
			return false, fmt.Errorf("reading the event file %s: %w", f.Name(), err)
		}
		at, rest = start, append(bytes.Clone(b), rest...)
		for len(rest) > 0 {
			begin := bytes.LastIndexByte(rest[:len(rest)-1], '\n') + 1
			if begin == 0 && at > 0 {
				break
			}
			m, _, err := parse(rest[begin:])
			if err == nil {
				if more, err := do(m); err != nil || !more {
					return more, err
				}
			}
			rest = rest[:begin]
		}
	}
	return true, nil
}
