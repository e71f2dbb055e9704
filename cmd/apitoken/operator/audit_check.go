package operator

import (
	"errors"
	"fmt"
	"slices"

	"apitoken/events"
)

// copyCheck verifies the copies of one stream in the order of their sequences. A
// writer of the copies who has no pepper cannot make a copy that passes.
type copyCheck struct {
	keys   events.Keys
	stream events.Stream
	seq    uint64 // of the last copy, verified or not; 0 before the first one

	here   []events.Hash // of the copies with this sequence
	before []events.Hash // of the copies with the sequence prior
	prior  uint64        // the sequence before this one, 0 at the beginning
}

// next returns an error unless the service wrote the copy, for this stream, and
// the copy continues from a copy before. The first copy may have any
// predecessor, because a log and its copies may lose their beginning. After a restore
// there may be several copies with one sequence.
//
// Each copy is compared with the copies before as they are, also if these were
// refused: one planted copy must not let the command refuse all later ones. The
// MAC shows that the service wrote a copy, whatever its neighbours are.
func (c *copyCheck) next(m events.Message) error {
	if m.Seq != c.seq {
		c.before, c.prior, c.here, c.seq = c.here, c.seq, nil, m.Seq
	}
	c.here = append(c.here, m.Hash)
	if m.Stream != c.stream {
		return fmt.Errorf("it belongs to stream %q", m.Stream)
	}
	if err := m.CheckMAC(c.keys); err != nil {
		return err
	}
	switch begins := c.prior == 0; {
	case begins && m.Seq == 1 && m.Prev != events.Hash{}:
		return errors.New("it is the first event of its stream and names an event before it")
	case begins:
		return nil
	case m.Seq != c.prior+1:
		return fmt.Errorf("the copy before it is missing: the copies have %d and then %d", c.prior, m.Seq)
	case !slices.Contains(c.before, m.Prev):
		return fmt.Errorf("it does not continue from copy %d", c.prior)
	}
	return nil
}
