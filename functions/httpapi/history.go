package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"apitoken/events/issuer"
	"apitoken/functions/httpapi/machine"
)

func (x exchange) tokenEvents() (machine.Answer, error) {
	id := x.tokenID()
	return x.history(func(after uint64, limit int) (issuer.HistoryPage, error) {
		return x.Config.Issuer.TokenEvents(x.Request.Context(), x.Principal, id, after, limit)
	})
}

func (x exchange) userEvents() (machine.Answer, error) {
	owner, err := x.user()
	if err != nil {
		return machine.Answer{}, err
	}
	return x.history(func(after uint64, limit int) (issuer.HistoryPage, error) {
		return x.Config.Issuer.UserEvents(x.Request.Context(), x.Principal, owner, after, limit)
	})
}

// history answers one page of records. Its cursor is the sequence number of the
// last record on the page.
func (x exchange) history(read func(after uint64, limit int) (issuer.HistoryPage, error)) (machine.Answer, error) {
	limit, err := pageLimit(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	after, err := sequence(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	page, err := read(after, limit)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading a history: %w", err)
	}
	out := History{Entries: make([]json.RawMessage, len(page.Events))}
	for i, m := range page.Events {
		m.Deployment = x.Config.Deployment
		if out.Entries[i], err = m.Detail(); err != nil {
			return machine.Answer{}, fmt.Errorf("showing a history: %w", err)
		}
	}
	if page.More {
		out.Paging = x.next(strconv.FormatUint(page.Next, 10))
	}
	return machine.Answer{Body: out}, nil
}

func sequence(q url.Values) (uint64, error) {
	if !q.Has("after") {
		return 0, nil
	}
	after, err := strconv.ParseUint(q.Get("after"), 10, 64)
	if err != nil {
		return 0, badCursor()
	}
	return after, nil
}
