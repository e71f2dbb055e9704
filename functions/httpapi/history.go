package httpapi

import (
	"fmt"
	"net/url"
	"strconv"

	"apitoken/events"
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
	kind, err := kindOf(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	return x.history(func(after uint64, limit int) (issuer.HistoryPage, error) {
		if kind == events.KindSession {
			return x.Config.Issuer.SessionEvents(x.Request.Context(), x.Principal, owner, after, limit)
		}
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
	var out History
	if out.Entries, err = x.details(page.Events); err != nil {
		return machine.Answer{}, err
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
