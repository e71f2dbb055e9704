package eventfile

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"apitoken/events"
)

// Copies are the events of a file in all its parts, used as the second copy of each
// stream. The place of each event is kept in memory and takes about 130 bytes.
type Copies struct {
	parts   []*os.File
	streams map[events.Stream][]place // ascending by sequence, each sequence once

	// Faults are the lines that are not copies: a line that is not an event of
	// this service, a line that has another content or record MAC than an earlier
	// line with the same id, and an older part without an end of its last line.
	Faults []Fault

	// Disagreeing are the lines that have a source, a detail-type or a time beside
	// the event that differs from the event. The event is a copy all the same: its
	// hash covers all that a comparison needs.
	Disagreeing []Fault

	// Trimmed says that the oldest part is not the first one, so the oldest copies
	// are not there.
	Trimmed bool
}

// Fault is a line that is not a copy.
type Fault struct {
	Part   string // the name of the part
	Line   int    // from 1
	ID     string // of the event, empty if the line is not an event
	Detail string
	part   int
}

// Place is the line that has an event.
type Place struct {
	Part string // the name of the part
	Line int    // from 1
	part int
}

func (p Place) String() string { return fmt.Sprintf("%s line %d", p.Part, p.Line) }

// Before reports whether the line is earlier in the file than the line of q.
func (p Place) Before(q Place) bool {
	return cmp.Or(cmp.Compare(p.part, q.part), cmp.Compare(p.Line, q.Line)) < 0
}

// place is where a part has an event.
type place struct {
	seq  uint64
	at   int64 // offset in bytes
	n    int   // length in bytes
	part int
	line int
	hash events.Hash
	mac  string // the name of the pepper and the bytes of the record MAC

	changed bool // the hash does not match the content
}

// OpenCopies reads the parts of the file at path once, the oldest first. Its error
// wraps fs.ErrNotExist if there is no part. It ignores a last line without an end in
// the newest part: a crash cut that line short, so Put never reported it as written.
//
// A service may write to the file meanwhile. If it begins a new part, OpenCopies reads
// all parts again: it may have opened the new part in place of the one before.
func OpenCopies(path string) (*Copies, error) {
	for range maxReads {
		names, err := Parts(path)
		if err != nil {
			return nil, err
		}
		c, err := openParts(path, names)
		if err != nil {
			return nil, err
		}
		now, err := Parts(path)
		if err == nil && slices.Equal(now, names) {
			return c, nil
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("reading the event file %s: its parts changed each of the %d times that they were read", path, maxReads)
}

// maxReads is how often OpenCopies reads a file that gets new parts meanwhile. A part
// takes minutes to become full, and far less time to be read.
const maxReads = 5

func openParts(path string, names []string) (*Copies, error) {
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "opening the event file", Path: path, Err: fs.ErrNotExist}
	}
	number := partNumber(filepath.Clean(target(path)), filepath.Clean(names[0]))
	c := &Copies{streams: map[events.Stream][]place{}, Trimmed: number > 1}
	if err := c.open(path, names); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for s, places := range c.streams {
		c.streams[s] = c.withoutRepeats(s, places)
	}
	slices.SortStableFunc(c.Faults, func(a, b Fault) int { return cmp.Or(a.part-b.part, a.Line-b.Line) })
	return c, nil
}

func (c *Copies) open(path string, names []string) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening the event file: %w", err)
		}
		c.parts = append(c.parts, f)
		if err := c.index(len(c.parts)-1, name == target(path)); err != nil {
			return fmt.Errorf("reading the event file %s: %w", name, err)
		}
	}
	return nil
}

// Close closes the parts.
func (c *Copies) Close() (err error) {
	for _, f := range c.parts {
		err = errors.Join(err, f.Close())
	}
	return err
}

func (c *Copies) index(part int, newest bool) error {
	r := bufio.NewReaderSize(c.parts[part], 1<<20)
	var at int64
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(b) > 0 && !newest {
				c.fault(part, n, "", "the line has no end")
			}
			return nil
		}
		if err != nil {
			return err
		}
		c.add(place{part: part, line: n, at: at, n: len(b)}, b)
		at += int64(len(b))
	}
}

func (c *Copies) fault(part, line int, id, detail string) {
	c.Faults = append(c.Faults, c.newFault(part, line, id, detail))
}

func (c *Copies) newFault(part, line int, id, detail string) Fault {
	return Fault{Part: filepath.Base(c.parts[part].Name()), Line: line, ID: id, Detail: detail, part: part}
}

func (c *Copies) add(p place, b []byte) {
	m, agrees, err := parse(b)
	if err == nil && !agrees {
		c.Disagreeing = append(c.Disagreeing, c.newFault(p.part, p.line, m.ID, "the members of the line differ from its detail"))
	}
	switch {
	case err != nil:
		c.fault(p.part, p.line, "", err.Error())
	case m.Seq > 0:
		p.seq, p.hash, p.mac = m.Seq, m.Hash, m.MAC.Kid+string(m.MAC.MAC)
		p.changed = events.VerifyMessages(m.Prev, []events.Message{m}) != nil
		c.streams[m.Stream] = append(c.streams[m.Stream], p)
	}
}

// withoutRepeats sorts the places and drops repeats, because delivery is at
// least once.
func (c *Copies) withoutRepeats(s events.Stream, places []place) []place {
	sort.SliceStable(places, func(i, j int) bool { return places[i].seq < places[j].seq })
	kept := places[:0]
	for _, p := range places {
		if n := len(kept); n > 0 && kept[n-1].seq == p.seq {
			// A changed line has the hash of the content that it had before. The line that
			// is kept is verified by the reader.
			if kept[n-1].hash != p.hash || kept[n-1].mac != p.mac || p.changed {
				c.fault(p.part, p.line, fmt.Sprintf("%s/%d", s, p.seq), "an earlier line with the same id differs")
			}
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// parse reads a line of the file. The line may also have the event alone, as audit
// export prints it. agrees says that the members beside the event agree with it.
func parse(b []byte) (m events.Message, agrees bool, err error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return events.Message{}, false, fmt.Errorf("decoding the line: %w", err)
	}
	if l.Detail == nil {
		m, err = events.ParseDetail(b)
		return m, true, err
	}
	m, err = events.ParseDetail(l.Detail)
	return m, l.Source == events.Source && l.DetailType == m.Type && l.Time.Equal(m.Time), err
}

// Streams are the streams that have copies, sorted by name.
func (c *Copies) Streams() []events.Stream { return slices.Sorted(maps.Keys(c.streams)) }

// Place returns the first line with an event. It is zero if there is no such event.
func (c *Copies) Place(s events.Stream, seq uint64) Place {
	places := c.streams[s]
	i, found := slices.BinarySearchFunc(places, seq, func(p place, seq uint64) int { return cmp.Compare(p.seq, seq) })
	if !found {
		return Place{}
	}
	p := places[i]
	return Place{Part: filepath.Base(c.parts[p.part].Name()), Line: p.line, part: p.part}
}

// Copy returns the copies of a stream with Seq > after, ascending, at most
// limit.
func (c *Copies) Copy(_ context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	places := c.streams[s]
	from := sort.Search(len(places), func(i int) bool { return places[i].seq > after })
	places = places[from:min(len(places), from+limit)]
	ms := make([]events.Message, len(places))
	for i, p := range places {
		b := make([]byte, p.n)
		_, err := c.parts[p.part].ReadAt(b, p.at)
		if err == nil {
			ms[i], _, err = parse(b)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s/%d again: %w", s, p.seq, err)
		}
	}
	return ms, nil
}
