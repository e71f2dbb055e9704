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
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"apitoken/events"
)

// Copies are the events of a file in all its parts, used as the second copy of each
// stream. The place of each event is kept in memory and takes about 130 bytes.
type Copies struct {
	parts   []Part
	lines   map[events.Stream][]place // ascending by sequence, in the order of the file
	streams map[events.Stream][]place // the first of the lines for each sequence
	unread  []Fault                   // the lines that are not an event, and parts without an end

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
		parts, err := openAll(path, names)
		if err != nil {
			return nil, err
		}
		c, err := readParts(path, parts)
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

// OpenCopiesUntil is OpenCopies for the lines before the mark.
func OpenCopiesUntil(path string, m Mark) (*Copies, error) {
	parts, err := OpenParts(path, m)
	if err != nil {
		return nil, err
	}
	return readParts(path, parts)
}

// openAll opens whole parts. Their sizes are those of the moment in which they are
// read: a service may be writing to the newest one.
func openAll(path string, names []string) (parts []Part, err error) {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening the event file: %w", err), CloseParts(parts))
		}
		number := partNumber(filepath.Clean(target(path)), filepath.Clean(name))
		parts = append(parts, Part{Name: filepath.Base(name), File: f, Size: math.MaxInt64, number: number})
	}
	return parts, nil
}

// readParts reads the parts, and closes them after an error.
func readParts(path string, parts []Part) (*Copies, error) {
	if len(parts) == 0 {
		return nil, &fs.PathError{Op: "opening the event file", Path: path, Err: fs.ErrNotExist}
	}
	c := &Copies{parts: parts, lines: map[events.Stream][]place{}, Trimmed: parts[0].number > 1}
	for i, part := range parts {
		if err := c.index(i, part.number == 0); err != nil {
			return nil, errors.Join(fmt.Errorf("reading the event file %s: %w", part.File.Name(), err), c.Close())
		}
	}
	for _, places := range c.lines {
		sort.SliceStable(places, func(i, j int) bool { return places[i].seq < places[j].seq })
	}
	c.Supersede(func(events.Stream, uint64, events.Hash) bool { return false })
	return c, nil
}

// Supersede chooses the copies again: the lines that are superseded are neither copies
// nor faults. So a later line with the same id takes the place of a superseded one.
func (c *Copies) Supersede(superseded func(events.Stream, uint64, events.Hash) bool) {
	c.Faults = slices.Clone(c.unread)
	c.streams = map[events.Stream][]place{}
	for s, places := range c.lines {
		drop := func(p place) bool { return superseded(s, p.seq, p.hash) }
		if slices.ContainsFunc(places, drop) || !ascends(places) {
			places = c.withoutRepeats(s, slices.DeleteFunc(slices.Clone(places), drop))
		}
		if len(places) > 0 {
			c.streams[s] = places
		}
	}
	slices.SortStableFunc(c.Faults, func(a, b Fault) int { return cmp.Or(a.part-b.part, a.Line-b.Line) })
}

// Close closes the parts.
func (c *Copies) Close() error { return CloseParts(c.parts) }

func (c *Copies) index(part int, newest bool) error {
	r := bufio.NewReaderSize(io.LimitReader(c.parts[part].File, c.parts[part].Size), 1<<20)
	var at int64
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(b) > 0 && !newest {
				c.unread = append(c.unread, c.newFault(part, n, "", "the line has no end"))
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
	return Fault{Part: c.parts[part].Name, Line: line, ID: id, Detail: detail, part: part}
}

func (c *Copies) add(p place, b []byte) {
	m, agrees, err := parse(b)
	if err == nil && !agrees {
		c.Disagreeing = append(c.Disagreeing, c.newFault(p.part, p.line, m.ID, "the members of the line differ from its detail"))
	}
	switch {
	case err != nil:
		c.unread = append(c.unread, c.newFault(p.part, p.line, "", err.Error()))
	case m.Seq > 0:
		p.seq, p.hash, p.mac = m.Seq, m.Hash, m.MAC.Kid+string(m.MAC.MAC)
		p.changed = events.VerifyMessages(m.Prev, []events.Message{m}) != nil
		c.lines[m.Stream] = append(c.lines[m.Stream], p)
	}
}

// ascends reports whether each sequence is there once. Then there is nothing to drop,
// and no second list that takes memory.
func ascends(places []place) bool {
	for i := 1; i < len(places); i++ {
		if places[i].seq <= places[i-1].seq {
			return false
		}
	}
	return true
}

// withoutRepeats drops repeats from the sorted places, because delivery is at least
// once.
func (c *Copies) withoutRepeats(s events.Stream, places []place) []place {
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

// AllStreams are the streams that have lines, also if all of these are superseded,
// sorted by name.
func (c *Copies) AllStreams() []events.Stream { return slices.Sorted(maps.Keys(c.lines)) }

// Place returns the first line with an event. It is zero if there is no such event.
func (c *Copies) Place(s events.Stream, seq uint64) Place {
	places := c.streams[s]
	i, found := slices.BinarySearchFunc(places, seq, func(p place, seq uint64) int { return cmp.Compare(p.seq, seq) })
	if !found {
		return Place{}
	}
	p := places[i]
	return Place{Part: c.parts[p.part].Name, Line: p.line, part: p.part}
}

// Copy returns the copies of a stream with Seq > after, ascending, at most
// limit.
func (c *Copies) Copy(_ context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	places := c.streams[s]
	from := sort.Search(len(places), func(i int) bool { return places[i].seq > after })
	places = places[from:min(len(places), from+limit)]
	return c.read(s, places)
}

func (c *Copies) read(s events.Stream, places []place) ([]events.Message, error) {
	ms := make([]events.Message, len(places))
	for i, p := range places {
		b := make([]byte, p.n)
		_, err := c.parts[p.part].File.ReadAt(b, p.at)
		if err == nil {
			ms[i], _, err = parse(b)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s/%d again: %w", s, p.seq, err)
		}
	}
	return ms, nil
}

// Others returns the lines of a stream that are not copies, because they are
// superseded, or because an earlier line with the same id differs. They ascend by
// sequence.
func (c *Copies) Others(s events.Stream) ([]events.Message, error) {
	var others []place
	for _, p := range c.lines[s] {
		i, found := slices.BinarySearchFunc(c.streams[s], p.seq, func(p place, seq uint64) int { return cmp.Compare(p.seq, seq) })
		if !found || c.streams[s][i].hash != p.hash || c.streams[s][i].mac != p.mac || p.changed && c.streams[s][i] != p {
			others = append(others, p)
		}
	}
	return c.read(s, others)
}

// Holds reports whether a line of the file has this event, whether it is a copy or not.
func (c *Copies) Holds(s events.Stream, seq uint64, hash events.Hash) bool {
	return slices.ContainsFunc(c.lines[s], func(p place) bool { return p.seq == seq && p.hash == hash })
}
