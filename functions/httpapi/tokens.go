package httpapi

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/token"
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
	owner, wish, err := x.wish()
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

// wish reads the body of a create: the owner key of the user ("": the caller),
// and the wish for the token.
func (x *exchange) wish() (owner string, w token.Wish, err error) {
	var user name.Identity
	var named bool
	var expirationTime, expiresIn string
	var sourceIPs []string
	err = x.decode(
		member{"user", "an object: the identity of the user", nested{&named, identityMembers(&user)}},
		member{"name", "a string", &w.Name},
		member{"description", "a string", &w.Description},
		member{"expiration_time", "a string: a time in RFC 3339, like 2030-01-20T00:00:00Z", &expirationTime},
		member{"expires_in", "a string: a number and a unit, like 180D", &expiresIn},
		member{"scopes", "a list of strings", &w.Scopes},
		member{"source_ips", "a list of strings", &sourceIPs},
	)
	if err != nil {
		return owner, w, err
	}
	err = noToken(
		text{"user.domain", user.Domain}, text{"user.name", user.Name}, text{"user.auth_id", user.AuthID}, text{"user.sid", user.SID},
		text{"name", w.Name}, text{"description", w.Description}, text{"expiration_time", expirationTime}, text{"expires_in", expiresIn},
		text{"scopes", strings.Join(w.Scopes, " ")}, text{"source_ips", strings.Join(sourceIPs, " ")},
	)
	if err != nil {
		return owner, w, err
	}
	if named {
		if owner, err = user.Key(); err != nil {
			return owner, w, fmt.Errorf("reading the user: %w", err)
		}
	}
	if w.ExpiresAt, w.ExpiresIn, err = expiry(expirationTime, expiresIn); err != nil {
		return owner, w, err
	}
	if w.SourceIPs, err = token.ParseSourceIPs(sourceIPs); err != nil {
		return owner, w, fmt.Errorf("reading the source ranges: %w", err)
	}
	return owner, w, nil
}

// expiry reads the two members that set the end of a token: a time, or a
// lifetime. A member that is "" sets nothing.
func expiry(at, in string) (ends time.Time, lifetime time.Duration, err error) {
	switch {
	case at != "" && in != "":
		return ends, 0, fieldProblem("invalid_field", "expires_in", "and expiration_time are both given; only one of them is allowed")
	case at != "":
		ends, err = token.ParseExpirationTime(at)
		if err != nil {
			return ends, 0, fmt.Errorf("reading the expiration time: %w", err)
		}
	case in != "":
		lifetime, err = token.ParseLifetime(in)
		if err != nil {
			return ends, 0, fmt.Errorf("reading the lifetime: %w", err)
		}
	}
	return ends, lifetime, nil
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
		return events.Position{}, fieldProblem("invalid_parameter", "after", "belongs to a list with other filters (user, state) or of another caller; leave it out to start at the first page")
	}
	return c.at, nil
}

func badCursor() *Problem {
	return fieldProblem("invalid_parameter", "after", "must be the value of after in an earlier paging.next")
}

func (x *exchange) get() (answer, error) {
	want, err := states(x.query)
	if err != nil {
		return answer{}, err
	}
	t, err := x.api.Issuer.Get(x.r.Context(), x.principal, x.tokenID(), want...)
	if err != nil {
		return answer{}, fmt.Errorf("showing a token: %w", err)
	}
	return answer{body: entryOf(t), etag: etagOf(t.Seq)}, nil
}

func (x *exchange) revoke() (answer, error) {
	if err := x.api.Issuer.Revoke(x.r.Context(), x.principal, x.tokenID()); err != nil {
		return answer{}, fmt.Errorf("revoking a token: %w", err)
	}
	return answer{body: struct{}{}}, nil
}
