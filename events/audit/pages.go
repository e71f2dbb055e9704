package audit

import (
	"context"
	"time"

	"apitoken/events"
)

// pageSize is how many events Compare reads at a time, from the log and from
// the copies.
const pageSize = 500

// next returns one message after the other, and nil at the end.
type next func() (*events.Message, error)

// oneByOne makes a next from a function that returns a page of messages and
// where the following page begins, 0 after the last page.
func oneByOne(fetch func(after uint64) ([]events.Message, uint64, error)) next {
	var ms []events.Message
	var after uint64
	ended := false
	return func() (*events.Message, error) {
		for len(ms) == 0 && !ended {
			var err error
			if ms, after, err = fetch(after); err != nil {
				return nil, err
			}
			ended = after == 0
		}
		if len(ms) == 0 {
			return nil, nil
		}
		m := ms[0]
		ms = ms[1:]
		return &m, nil
	}
}

// logPage reads a page of the log. It skips records that are past their
// retention, because the store may have removed some of them and not others.
func logPage(ctx context.Context, log events.Log, s events.Stream, after uint64, now time.Time) (ms []events.Message, following uint64, err error) {
	rs, err := log.History(ctx, s, after, pageSize)
	for _, r := range rs {
		if !r.Gone(now) {
			ms = append(ms, r.Message())
		}
	}
	if len(rs) == pageSize {
		following = rs[pageSize-1].Seq
	}
	return ms, following, err
}

// copyPage reads a page of the copies.
func copyPage(ctx context.Context, copies Reader, s events.Stream, after uint64) (ms []events.Message, following uint64, err error) {
	ms, err = copies.Copy(ctx, s, after, pageSize)
	if len(ms) == pageSize {
		following = ms[pageSize-1].Seq
	}
	return ms, following, err
}
