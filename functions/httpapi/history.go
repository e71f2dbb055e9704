package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"apitoken/events/issuer"
)

func (x *exchange) tokenEvents() (answer, error) {
	id := x.tokenID()
	return x.history(func(after uint64, limit int) (issuer.HistoryPage, error) {
		return x.api.Issuer.TokenEvents(x.r.Context(), x.principal, id, after, limit)
	})
}

func (x *exchange) userEvents() (answer, error) {
	owner, err := x.user()
	if err != nil {
		return answer{}, err
	}
	return x.history(func(after uint64, limit int) (issuer.HistoryPage, error) {
		return x.api.Issuer.UserEvents(x.r.Context(), x.principal, owner, after, limit)
	})
}

// history answers one page of records. Its cursor is the sequence number of the
// last record on the page.
func (x *exchange) history(read func(after uint64, limit int) (issuer.HistoryPage, error)) (answer, error) {
	limit, err := pageLimit(x.query)
	if err != nil {
		return answer{}, err
	}
	after, err := sequence(x.query)
	if err != nil {
		return answer{}, err
	}
	page, err := read(after, limit)
	if err != nil {
		return answer{}, fmt.Errorf("reading a history: %w", err)
	}
	out := History{Entries: make([]json.RawMessage, len(page.Events))}
	for i, m := range page.Events {
		m.Deployment = x.api.Deployment
		if out.Entries[i], err = m.Detail(); err != nil {
			return answer{}, fmt.Errorf("showing a history: %w", err)
		}
	}
	if page.More {
		out.Paging = x.next(strconv.FormatUint(page.Next, 10))
	}
	return answer{body: out}, nil
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
