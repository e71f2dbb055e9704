package datadir

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// Superseded are events of the event file that the store does not have, because it was
// restored to an earlier time. They are known: audit reapply revoked again every token
// that they show as revoked. Each line of the file has a MAC, so write access to the
// folder alone cannot make an event known.
type Superseded struct {
	Faults []error // lines that were not written with the peppers; their events do not count

	events map[events.Stream]map[event]time.Time // the time of the restore
}

// event names one content of an event.
type event struct {
	seq  uint64
	hash events.Hash
}

// supersededBody is what the MAC of a line covers.
type supersededBody struct {
	Restored instant.Time      `json:"restored"`
	Stream   events.Stream     `json:"stream"`
	Events   []supersededEvent `json:"events"`
}

type supersededEvent struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
}

type supersededLine struct {
	Superseded json.RawMessage `json:"superseded"`
	Kid        string          `json:"kid"`
	MAC        []byte          `json:"mac"`
}

// maxSupersededLine is the maximum number of events in one line.
const maxSupersededLine = 1000

// ReadSuperseded reads the file of the folder dir. There may be none.
func ReadSuperseded(dir string, k events.Keys) (*Superseded, error) {
	s := &Superseded{events: map[events.Stream]map[event]time.Time{}}
	text, err := SupersededText(dir)
	if err != nil {
		return nil, err
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if err := s.addLine(k, line); err != nil {
			s.Faults = append(s.Faults, fmt.Errorf("%s line %d: %w", supersededFile, number, err))
		}
	}
	return s, nil
}

// SupersededName is the name of the file.
const SupersededName = supersededFile

// SupersededText returns the text of the file in the folder dir, "" if there is none.
func SupersededText(dir string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, supersededFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the superseded events: %w", err)
	}
	return text, nil
}

func (s *Superseded) addLine(k events.Keys, line []byte) error {
	var l supersededLine
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("decoding the line: %w", err)
	}
	want, err := k.MAC(l.Kid, supersededMessage(l.Superseded))
	if err != nil {
		return fmt.Errorf("checking its MAC: %w", err)
	}
	if !hmac.Equal(want, l.MAC) {
		return errors.New("its MAC is wrong, so this service did not write it")
	}
	var b supersededBody
	if err := json.Unmarshal(l.Superseded, &b); err != nil {
		return fmt.Errorf("decoding its events: %w", err)
	}
	for _, e := range b.Events {
		var hash events.Hash
		if n, err := hex.Decode(hash[:], []byte(e.Hash)); err != nil || n != len(hash) {
			return errors.New("the hash of an event is malformed")
		}
		s.Add(b.Stream, e.Sequence, hash, b.Restored.Time)
	}
	return nil
}

// supersededMessage is what the MAC is made over: the domain, and the body without
// white space.
func supersededMessage(body []byte) []byte {
	b := bytes.NewBufferString("apitoken/superseded/1\x00")
	if json.Compact(b, body) != nil {
		b.Write(body) // it is no JSON, so no MAC was made over it
	}
	return b.Bytes()
}

// Add adds an event.
func (s *Superseded) Add(stream events.Stream, seq uint64, hash events.Hash, restored time.Time) {
	if s.events[stream] == nil {
		s.events[stream] = map[event]time.Time{}
	}
	s.events[stream][event{seq, hash}] = restored
}

// Remove removes an event.
func (s *Superseded) Remove(stream events.Stream, seq uint64, hash events.Hash) {
	delete(s.events[stream], event{seq, hash})
}

// Has reports whether an event is superseded.
func (s *Superseded) Has(stream events.Stream, seq uint64, hash events.Hash) bool {
	_, has := s.events[stream][event{seq, hash}]
	return has
}

// Restores returns the number of superseded events by the time of the restore.
func (s *Superseded) Restores() map[time.Time]int {
	n := map[time.Time]int{}
	for _, of := range s.events {
		for _, restored := range of {
			n[restored]++
		}
	}
	return n
}

// Write replaces the file of the folder dir, durably and atomically.
func (s *Superseded) Write(dir string, k events.Keys) error {
	var text strings.Builder
	for _, stream := range slices.Sorted(maps.Keys(s.events)) {
		byTime := map[time.Time][]event{}
		for e, restored := range s.events[stream] {
			byTime[restored] = append(byTime[restored], e)
		}
		for _, restored := range slices.SortedFunc(maps.Keys(byTime), time.Time.Compare) {
			all := byTime[restored]
			slices.SortFunc(all, func(a, b event) int { return cmp.Or(cmp.Compare(a.seq, b.seq), bytes.Compare(a.hash[:], b.hash[:])) })
			for some := range slices.Chunk(all, maxSupersededLine) {
				line, err := lineOfSuperseded(k, stream, restored, some)
				if err != nil {
					return err
				}
				text.Write(append(line, '\n'))
			}
		}
	}
	return WritePrivate(filepath.Join(dir, supersededFile), strings.TrimSuffix(text.String(), "\n"))
}

func lineOfSuperseded(k events.Keys, stream events.Stream, restored time.Time, some []event) ([]byte, error) {
	b := supersededBody{Restored: instant.Of(restored), Stream: stream}
	for _, e := range some {
		b.Events = append(b.Events, supersededEvent{e.seq, hex.EncodeToString(e.hash[:])})
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encoding the superseded events: %w", err)
	}
	mac, err := k.MAC(k.Current(), supersededMessage(body))
	if err != nil {
		return nil, fmt.Errorf("encoding the superseded events: %w", err)
	}
	line, err := json.Marshal(supersededLine{Superseded: body, Kid: k.Current(), MAC: mac})
	if err != nil {
		return nil, fmt.Errorf("encoding the superseded events: %w", err)
	}
	return line, nil
}
