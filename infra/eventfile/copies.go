package eventfile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"

	"apitoken/events"
)

// Copies are the events of a file, used as the second copy of each stream. The
// place of each event is kept in memory and takes about 130 bytes.
type Copies struct {
	f       *os.File
	streams map[events.Stream][]place // ascending by sequence, each sequence once

	// Faults are the lines that are not copies: a line that is not an event of
	// this service, and a line that has another hash or record MAC than an earlier
	// line with the same id.
	Faults []Fault
}

// Fault is a line that is not a copy.
type Fault struct {
	Line   int    // from 1
	ID     string // of the event, empty if the line is not an event
	Detail string
}

// place is where the file has an event.
type place struct {
	seq  uint64
	at   int64 // offset in bytes
	n    int   // length in bytes
	line int
	hash events.Hash
	mac  string // the name of the pepper and the bytes of the record MAC
}

// OpenCopies reads the file once. It ignores a last line without an end: a crash
// cut that line short, so Put never reported it as written.
func OpenCopies(path string) (*Copies, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the event file: %w", err)
	}
	c := &Copies{f: f, streams: map[events.Stream][]place{}}
	if err := c.index(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the event file %s: %w", path, err), f.Close())
	}
	return c, nil
}

// Close closes the file.
func (c *Copies) Close() error { return c.f.Close() }

func (c *Copies) index() error {
	r := bufio.NewReaderSize(c.f, 1<<20)
	var at int64
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		c.add(n, at, b)
		at += int64(len(b))
	}
	for s, places := range c.streams {
		c.streams[s] = c.withoutRepeats(s, places)
	}
	slices.SortStableFunc(c.Faults, func(a, b Fault) int { return a.Line - b.Line })
	return nil
}

func (c *Copies) add(n int, at int64, b []byte) {
	m, err := parse(b)
	switch {
	case err != nil:
		c.Faults = append(c.Faults, Fault{Line: n, Detail: err.Error()})
	case m.Seq > 0:
		c.streams[m.Stream] = append(c.streams[m.Stream], place{m.Seq, at, len(b), n, m.Hash, m.MAC.Kid + string(m.MAC.MAC)})
	}
}

// withoutRepeats sorts the places and drops repeats, because delivery is at
// least once.
func (c *Copies) withoutRepeats(s events.Stream, places []place) []place {
	sort.SliceStable(places, func(i, j int) bool { return places[i].seq < places[j].seq })
	kept := places[:0]
	for _, p := range places {
		if n := len(kept); n > 0 && kept[n-1].seq == p.seq {
			if kept[n-1].hash != p.hash || kept[n-1].mac != p.mac {
				c.Faults = append(c.Faults, Fault{Line: p.line, ID: fmt.Sprintf("%s/%d", s, p.seq), Detail: "an earlier line with the same id differs"})
			}
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

func parse(b []byte) (events.Message, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return events.Message{}, fmt.Errorf("decoding the line: %w", err)
	}
	return events.ParseDetail(l.Detail)
}

// Streams are the streams that have copies, sorted by name.
func (c *Copies) Streams() []events.Stream { return slices.Sorted(maps.Keys(c.streams)) }

// Copy returns the copies of a stream with Seq > after, ascending, at most
// limit.
func (c *Copies) Copy(_ context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	places := c.streams[s]
	from := sort.Search(len(places), func(i int) bool { return places[i].seq > after })
	places = places[from:min(len(places), from+limit)]
	ms := make([]events.Message, len(places))
	for i, p := range places {
		b := make([]byte, p.n)
		_, err := c.f.ReadAt(b, p.at)
		if err == nil {
			ms[i], err = parse(b)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s/%d again: %w", s, p.seq, err)
		}
	}
	return ms, nil
}
