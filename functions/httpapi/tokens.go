package httpapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"apitoken/events/issuer"
	"apitoken/events/token"
)

// created is Created on its way out, the one place where a token's text is
// written into an answer.
type created struct {
	Entry
	BearerToken string `json:"bearer_token"`
}

func (x *exchange) create() (reply, error) {
	owner, wish, err := x.wish()
	if err != nil {
		return reply{}, err
	}
	made, text, err := x.api.Issuer.Create(x.r.Context(), x.who, owner, wish)
	if err != nil {
		return reply{}, fmt.Errorf("creating a token: %w", err)
	}
	return reply{body: created{Entry: entryOf(made), BearerToken: text.Reveal()}}, nil
}

// wish reads the body of a create: whose token it shall be ("": the caller's),
// and what token.
func (x *exchange) wish() (owner string, w token.Wish, err error) {
	var user token.Identity
	var named bool
	var expirationTime, expiresIn string
	var sourceIPs []string
	err = x.decode(
		member{"user", "an object: the user's identity", nested{&named, identityMembers(&user)}},
		member{"name", "a string", &w.Name},
		member{"description", "a string", &w.Description},
		member{"expiration_time", "a string: an instant as RFC 3339 has it", &expirationTime},
		member{"expires_in", "a string: a number and a unit, like 180D", &expiresIn},
		member{"scopes", "a list of strings", &w.Scopes},
		member{"source_ips", "a list of strings", &sourceIPs},
	)
	if err != nil {
		return owner, w, err
	}
	err = noToken(
		text{"user.name", user.Name}, text{"user.auth_id", user.AuthID}, text{"name", w.Name},
		text{"description", w.Description}, text{"scopes", strings.Join(w.Scopes, " ")},
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

// expiry reads the two ways to say when a token ends; "" says nothing.
func expiry(at, in string) (instant time.Time, lifetime time.Duration, err error) {
	switch {
	case at != "" && in != "":
		return instant, 0, fault("invalid_field", "expires_in", "and expiration_time exclude each other")
	case at != "":
		instant, err = time.Parse(time.RFC3339, at)
		if err != nil || instant.IsZero() { // further in, the zero time would mean "never"
			return instant, 0, fault("invalid_field", "expiration_time", "must be an instant as RFC 3339 has it, like 2030-01-20T00:00:00Z")
		}
		return instant.UTC(), 0, nil
	case in != "":
		lifetime, err = token.ParseLifetime(in)
		if err != nil {
			return instant, 0, fmt.Errorf("reading the lifetime: %w", err)
		}
	}
	return instant, lifetime, nil
}

func (x *exchange) list() (reply, error) {
	var want issuer.ListQuery
	var err error
	q := x.query
	if want.Owners, err = owners(q); err != nil {
		return reply{}, err
	}
	if want.States, err = states(q); err != nil {
		return reply{}, err
	}
	if want.Limit, err = pageLimit(q); err != nil {
		return reply{}, err
	}
	if q.Has("after") {
		if want.After, err = parseCursor(q.Get("after")); err != nil {
			return reply{}, badCursor()
		}
	}
	page, err := x.api.Issuer.List(x.r.Context(), x.who, want)
	if err != nil {
		return reply{}, fmt.Errorf("listing tokens: %w", err)
	}
	out := List{Entries: make([]Entry, len(page.Tokens))}
	for i, t := range page.Tokens {
		out.Entries[i] = entryOf(t)
	}
	if page.More {
		out.Paging = x.next(cursorOf(page.Next))
	}
	return reply{body: out}, nil
}

func badCursor() *Problem {
	return fault("invalid_parameter", "after", "must be what paging.next of an earlier answer has there")
}

func (x *exchange) get() (reply, error) {
	t, err := x.api.Issuer.Get(x.r.Context(), x.who, x.r.PathValue("id"))
	if err != nil {
		return reply{}, fmt.Errorf("showing a token: %w", err)
	}
	return reply{body: entryOf(t), etag: `"` + strconv.FormatUint(t.Seq, 10) + `"`}, nil
}

func (x *exchange) revoke() (reply, error) {
	if err := x.api.Issuer.Revoke(x.r.Context(), x.who, x.r.PathValue("id")); err != nil {
		return reply{}, fmt.Errorf("revoking a token: %w", err)
	}
	return reply{body: struct{}{}}, nil
}
