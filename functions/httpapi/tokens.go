package httpapi

import (
	"fmt"
	"net/url"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi/machine"
)

// created is the JSON form of Created. Only here the service writes the text of
// a token into an answer.
type created struct {
	Entry
	BearerToken string `json:"bearer_token"`
}

// loggedIn is a LoggedIn with the session's text.
type loggedIn struct {
	ID             string `json:"id"`
	BearerToken    string `json:"bearer_token"`
	ExpirationTime Time   `json:"expiration_time"`
}

func (x exchange) create() (machine.Answer, error) {
	key, err := x.requestKey()
	if err != nil {
		return machine.Answer{}, err
	}
	owner, wish, err := x.createBody()
	if err != nil {
		return machine.Answer{}, err
	}
	made, err := x.Config.Issuer.CreateOnce(x.Request.Context(), x.Principal, key, owner, wish)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("creating a token: %w", err)
	}
	return mintedAnswer(made), nil
}

// mintedAnswer is the answer of a command that hands out a secret.
func mintedAnswer(m issuer.Minted) machine.Answer {
	return machine.Answer{Body: created{Entry: entryOf(m.Token), BearerToken: m.Text.Reveal()}, ETag: etagOf(m.Seq), Replayed: m.Replayed}
}

func (x exchange) list() (machine.Answer, error) {
	var want issuer.ListQuery
	var err error
	q := x.Query
	if want.Kind, err = kindOf(q); err != nil {
		return machine.Answer{}, err
	}
	if want.Owners, err = owners(q); err != nil {
		return machine.Answer{}, err
	}
	if want.States, err = states(q); err != nil {
		return machine.Answer{}, err
	}
	if want.Filter, err = filter(q); err != nil {
		return machine.Answer{}, err
	}
	if want.Limit, err = pageLimit(q); err != nil {
		return machine.Answer{}, err
	}
	list := digestOf(x.Principal.Owner, want)
	if want.After, err = position(q, list); err != nil {
		return machine.Answer{}, err
	}
	page, err := x.Config.Issuer.List(x.Request.Context(), x.Principal, want)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("listing tokens: %w", err)
	}
	out := List{Entries: make([]Entry, len(page.Tokens))}
	for i, t := range page.Tokens {
		out.Entries[i] = entryOf(t)
	}
	if page.Account != nil {
		out.UserLimit = new(limitOf(*page.Account))
	}
	if page.More {
		out.Paging = x.next(cursorOf(list, page.Next))
	}
	return machine.Answer{Body: out}, nil
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
		return events.Position{}, machine.FieldProblem("invalid_parameter", "after", "belongs to a list with other filters or of another caller; leave it out to start at the first page")
	}
	return c.at, nil
}

func badCursor() *machine.Problem {
	return machine.FieldProblem("invalid_parameter", "after", "must be the paging.after of an earlier answer")
}

func (x exchange) get() (machine.Answer, error) {
	want, err := states(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	if x.Query.Has("at") {
		return x.getAt(want)
	}
	t, err := x.Config.Issuer.Get(x.Request.Context(), x.Principal, x.tokenID(), want...)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("showing a token: %w", err)
	}
	return entryAnswer(t), nil
}

// getAt answers a token as it was. The answer has no ETag, because no command
// changes the past.
func (x exchange) getAt(want []events.TokenState) (machine.Answer, error) {
	at, err := moment(x.Query, "at")
	if err != nil {
		return machine.Answer{}, err
	}
	t, err := x.Config.Issuer.GetAt(x.Request.Context(), x.Principal, x.tokenID(), *at, want...)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("showing the past of a token: %w", err)
	}
	return machine.Answer{Body: entryOf(t)}, nil
}

// entryAnswer is the answer about one token, with its ETag.
func entryAnswer(t issuer.Token) machine.Answer {
	return machine.Answer{Body: entryOf(t), ETag: etagOf(t.Seq)}
}

func (x exchange) revoke() (machine.Answer, error) {
	children, err := optionalBool(x.Query, "with_children")
	if err != nil {
		return machine.Answer{}, err
	}
	ifMatch, err := x.ifMatch()
	if err != nil {
		return machine.Answer{}, err
	}
	if children != nil && *children {
		err = x.Config.Issuer.RevokeWithChildren(x.Request.Context(), x.Principal, x.tokenID(), ifMatch...)
	} else {
		err = x.Config.Issuer.Revoke(x.Request.Context(), x.Principal, x.tokenID(), ifMatch...)
	}
	if err != nil {
		return machine.Answer{}, fmt.Errorf("revoking a token: %w", err)
	}
	return machine.Answer{Body: struct{}{}}, nil
}
