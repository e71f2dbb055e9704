package httpapi

import (
	"fmt"
	"net/url"

	"apitoken/events"
	"apitoken/events/issuer"
)

// created is the JSON form of Created. Only here the service writes the text of
// a token into an answer.
type created struct {
	Entry
	BearerToken string `json:"bearer_token"`
}

func (x *exchange) create() (answer, error) {
	key, err := x.requestKey()
	if err != nil {
		return answer{}, err
	}
	owner, wish, err := x.createBody()
	if err != nil {
		return answer{}, err
	}
	made, err := x.api.Issuer.CreateOnce(x.r.Context(), x.principal, key, owner, wish)
	if err != nil {
		return answer{}, fmt.Errorf("creating a token: %w", err)
	}
	return mintedAnswer(made), nil
}

// mintedAnswer is the answer of a command that hands out a secret.
func mintedAnswer(m issuer.Minted) answer {
	return answer{body: created{Entry: entryOf(m.Token), BearerToken: m.Text.Reveal()}, etag: etagOf(m.Seq), replayed: m.Replayed}
}

func (x *exchange) list() (answer, error) {
	var want issuer.ListQuery
	var err error
	q := x.query
	if want.Owners, err = owners(q); err != nil {
		return answer{}, err
	}
	if want.States, err = states(q); err != nil {
		return answer{}, err
	}
	if want.Filter, err = filter(q); err != nil {
		return answer{}, err
	}
	if want.Limit, err = pageLimit(q); err != nil {
		return answer{}, err
	}
	list := digestOf(x.principal.Owner, want)
	if want.After, err = position(q, list); err != nil {
		return answer{}, err
	}
	page, err := x.api.Issuer.List(x.r.Context(), x.principal, want)
	if err != nil {
		return answer{}, fmt.Errorf("listing tokens: %w", err)
	}
	out := List{Entries: make([]Entry, len(page.Tokens))}
	for i, t := range page.Tokens {
		out.Entries[i] = entryOf(t)
	}
	if page.More {
		out.Paging = x.next(cursorOf(list, page.Next))
	}
	return answer{body: out}, nil
}

// position reads the parameter after of a list. It refuses the cursor of another
// list: the caller would get a part of this list, and take it for the whole.
func position(q url.Values, list listDigest) (events.Position, error) {
	if !q.Has("after") {
		return events.Position{}, nil
	}
	c, err := parseCursor(q.Get("after"))
	switch {
	case err != nil:
		return events.Position{}, badCursor()
	case c.list != list:
		return events.Position{}, fieldProblem("invalid_parameter", "after", "belongs to a list with other filters or of another caller; leave it out to start at the first page")
	}
	return c.at, nil
}

func badCursor() *Problem {
	return fieldProblem("invalid_parameter", "after", "must be the paging.after of an earlier answer")
}

func (x *exchange) get() (answer, error) {
	want, err := states(x.query)
	if err != nil {
		return answer{}, err
	}
	if x.query.Has("at") {
		return x.getAt(want)
	}
	t, err := x.api.Issuer.Get(x.r.Context(), x.principal, x.tokenID(), want...)
	if err != nil {
		return answer{}, fmt.Errorf("showing a token: %w", err)
	}
	return entryAnswer(t), nil
}

// getAt answers a token as it was. The answer has no ETag, because no command
// changes the past.
func (x *exchange) getAt(want []events.TokenState) (answer, error) {
	at, err := moment(x.query, "at")
	if err != nil {
		return answer{}, err
	}
	t, err := x.api.Issuer.GetAt(x.r.Context(), x.principal, x.tokenID(), *at, want...)
	if err != nil {
		return answer{}, fmt.Errorf("showing the past of a token: %w", err)
	}
	return answer{body: entryOf(t)}, nil
}

// entryAnswer is the answer about one token, with its ETag.
func entryAnswer(t issuer.Token) answer { return answer{body: entryOf(t), etag: etagOf(t.Seq)} }

func (x *exchange) revoke() (answer, error) {
	children, err := optionalBool(x.query, "with_children")
	if err != nil {
		return answer{}, err
	}
	ifMatch, err := x.ifMatch()
	if err != nil {
		return answer{}, err
	}
	if children != nil && *children {
		err = x.api.Issuer.RevokeWithChildren(x.r.Context(), x.principal, x.tokenID(), ifMatch...)
	} else {
		err = x.api.Issuer.Revoke(x.r.Context(), x.principal, x.tokenID(), ifMatch...)
	}
	if err != nil {
		return answer{}, fmt.Errorf("revoking a token: %w", err)
	}
	return answer{body: struct{}{}}, nil
}
