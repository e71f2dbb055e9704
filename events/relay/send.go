package relay

import (
	"context"
	"fmt"

	"apitoken/events"
)

// Send puts the messages on the bus. Those of one stream go in the order in
// which they stand in ms, each only after its predecessor was taken: if one is
// not taken, its successors wait, and other streams flow on. sent has the ids
// of what was taken, in order; failed has those that the bus refused. What is
// in neither was not taken or is not known to be. err is for the bus as a
// whole and ends the attempt.
func Send(ctx context.Context, bus events.Bus, ms []events.Message) (sent []string, failed map[string]error, err error) {
	failed = map[string]error{}
	lanes := lanesOf(ms)
	for len(lanes) > 0 {
		round := make([]events.Message, len(lanes))
		for i, lane := range lanes {
			round[i] = lane[0]
		}
		refused, err := bus.Put(ctx, round)
		if err != nil {
			return sent, failed, fmt.Errorf("putting %d messages on the bus: %w", len(round), err)
		}
		var rest [][]events.Message
		for _, lane := range lanes {
			m := lane[0]
			if cause, ok := refused[m.ID]; ok {
				failed[m.ID] = cause
				continue
			}
			sent = append(sent, m.ID)
			if len(lane) > 1 {
				rest = append(rest, lane[1:])
			}
		}
		lanes = rest
	}
	return sent, failed, nil
}

// lanesOf parts the messages by stream. Only the first of each lane may be on
// its way: a bus may refuse any message of a call and take those behind it. A
// notice belongs to no stream and waits for nobody.
func lanesOf(ms []events.Message) (lanes [][]events.Message) {
	place := map[events.Stream]int{}
	for _, m := range ms {
		i, ok := place[m.Stream]
		if !ok || m.Stream == "" {
			i = len(lanes)
			place[m.Stream] = i
			lanes = append(lanes, nil)
		}
		lanes[i] = append(lanes[i], m)
	}
	return lanes
}
