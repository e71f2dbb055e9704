package relay

import (
	"context"
	"fmt"

	"apitoken/events"
)

// Send puts the messages on the bus. Messages of one stream are sent in their
// order in ms, each only after the bus accepted the one before. If the bus
// refuses a message, the later messages of its stream wait, and those of other
// streams are still sent.
// sent has the ids of the accepted messages, in order. failed has the refused
// ones. It is unknown whether the bus accepted the others. err is about the bus
// as a whole and ends the attempt.
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

// lanesOf groups the messages by stream. A call of Put has at most one message
// of each lane: a bus may refuse one message of a call and accept the later
// ones. A notice belongs to no stream and has a lane of its own.
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
