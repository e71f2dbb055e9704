package operator

import (
	"errors"
	"fmt"

	"apitoken/events"
)

// copyCheck verifies the copies of one stream in their order. A writer of the
// copies who has no pepper cannot make a copy that passes.
type copyCheck struct {
	keys   events.Keys
	stream events.Stream
	begun  bool
	before events.Message // the copy before, verified or not
}

// next returns an error unless the service wrote the copy, for this stream, and
// the copy continues from the copy before. The first copy may have any
// predecessor, because a log and its copies may lose their beginning.
//
// Each copy is compared with the copy before as it is, also if that copy was
// refused: one planted copy must not let the command refuse all later ones. The
// MAC shows that the service wrote a copy, whatever its neighbours are.
func (c *copyCheck) next(m events.Message) error {
	before, begun := c.before, c.begun
	c.before, c.begun = m, true
	if m.Stream != c.stream {
		return fmt.Errorf("it belongs to stream %q", m.Stream)
	}
	if err := m.CheckMAC(c.keys); err != nil {
		return err
	}
	switch {
	case !begun && m.Seq == 1 && m.Prev != events.Hash{}:
		return errors.New("it is the first event of its stream and names an event before it")
	case begun && m.Seq != before.Seq+1:
		return fmt.Errorf("the copy before it is missing: the copies have %d and then %d", before.Seq, m.Seq)
	case begun && m.Prev != before.Hash:
		return fmt.Errorf("it does not continue from copy %d", before.Seq)
	}
	return nil
}
