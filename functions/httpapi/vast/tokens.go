package vast

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// The allowed values of the members of a token, for people.
const (
	wantWord   = "a string; a whole number, true and false are allowed too and mean their text"
	wantExpiry = "a string: a number and a unit, Y, M (30 days), W, D, H, m (minutes) or S, like 180D"
)

func (x exchange) create() (machine.Answer, error) {
	var named, user word
	var expiry string
	err := x.Decode(
		machine.Value("name", wantWord, &named),
		machine.Value("expiry_date", wantExpiry, &expiry),
		machine.Value("owner", wantWord, &user),
	)
	if err != nil {
		return machine.Answer{}, err
	}
	owner := ""
	if user != "" {
		if owner, err = ownerKey(string(user)); err != nil {
			return machine.Answer{}, err
		}
	}
	wish, err := wishOf(string(named), expiry)
	if err != nil {
		return machine.Answer{}, err
	}
	made, text, err := x.Config.Issuer.Create(x.Request.Context(), x.Principal, owner, wish)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("creating a token: %w", err)
	}
	return machine.Answer{Status: http.StatusCreated, Body: Created{ID: made.ID, Token: text.Reveal()}}, nil
}

// wishOf reads the members that say what a token shall be. "" sets nothing.
func wishOf(named, expiry string) (w token.Wish, err error) {
	if err := machine.NoToken(machine.Text("name", named), machine.Text("expiry_date", expiry)); err != nil {
		return w, err
	}
	w.Name = named
	if expiry != "" {
		if w.ExpiresIn, err = token.ParseLifetime(expiry); err != nil {
			return w, fmt.Errorf("reading the expiry date: %w", err)
		}
	}
	return w, nil
}

func ownerKey(text string) (string, error) {
	if err := machine.NoToken(machine.Text("owner", text)); err != nil {
		return "", err
	}
	key, err := name.OwnerKey(text)
	if err != nil {
		return "", fmt.Errorf("reading the owner: %w", err)
	}
	return key, nil
}

// maxTokens is the maximum number of tokens that one request reads. Clients of VAST
// read a list in one request, Lambda sends at most 6 MB (AWS Lambda quotas,
// "Invocation payload"), and a name is compared with each token.
const maxTokens = 10_000

func (x exchange) list() (machine.Answer, error) {
	var want issuer.ListQuery
	archived, err := boolean(x.Query, "archived")
	if err != nil {
		return machine.Answer{}, err
	}
	if archived {
		want.States = []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}
	}
	if x.Query.Has("owner") {
		if want.Owners, err = name.OwnersNamed(x.Query.Get("owner")); err != nil {
			return machine.Answer{}, fmt.Errorf("reading the owner: %w", err)
		}
	}
	paged, err := pageOf(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	all, err := x.tokens(want)
	if err != nil {
		return machine.Answer{}, err
	}
	if paged == nil {
		return machine.Answer{Body: all}, nil
	}
	return x.page(all, *paged)
}

// tokens returns all tokens of the list that have the name of the query.
func (x exchange) tokens(want issuer.ListQuery) ([]APIToken, error) {
	want.Limit = issuer.MaxLimit
	all, read := []APIToken{}, 0
	for {
		page, err := x.Config.Issuer.List(x.Request.Context(), x.Principal, want)
		if err != nil {
			return nil, fmt.Errorf("listing tokens: %w", err)
		}
		for _, t := range page.Tokens {
			if !x.Query.Has("name") || t.Name == x.Query.Get("name") {
				all = append(all, tokenOf(t))
			}
		}
		switch read += len(page.Tokens); {
		case read > maxTokens:
			return nil, x.listTooLong()
		case !page.More:
			return all, nil
		}
		want.After = page.Next
	}
}

// listTooLong names the parameter that makes the list shorter. A user has few live
// tokens, so the archive makes the list of one owner long.
func (x exchange) listTooLong() error {
	parts := fmt.Sprintf("the list has more than %d tokens; GET /v1/auth/access-tokens/ gives a long list in parts", maxTokens)
	if x.Query.Has("owner") {
		return machine.FieldProblem("invalid_parameter", "archived", "must be false or absent: "+parts)
	}
	return machine.FieldProblem("invalid_parameter", "owner", "is needed: "+parts)
}

// numbered is a page that a client asks for by its number.
type numbered struct{ number, size int }

// defaultSize is the number of tokens of a page if the query gives only its number.
const defaultSize = 100

// pageOf reads the parameters page and page_size. It returns nil if the query has
// neither.
func pageOf(q url.Values) (*numbered, error) {
	if !q.Has("page") && !q.Has("page_size") {
		return nil, nil
	}
	p := numbered{number: 1, size: defaultSize}
	for parameter, into := range map[string]*int{"page": &p.number, "page_size": &p.size} {
		if q.Has(parameter) {
			n, err := strconv.Atoi(q.Get(parameter))
			if err != nil || n < 1 || n > maxTokens {
				return nil, machine.FieldProblem("invalid_parameter", parameter, fmt.Sprintf("must be a whole number from 1 to %d", maxTokens))
			}
			*into = n
		}
	}
	return &p, nil
}

// page answers one page of the tokens, with links to its neighbours.
func (x exchange) page(all []APIToken, p numbered) (machine.Answer, error) {
	last := max(1, (len(all)+p.size-1)/p.size)
	if p.number > last {
		return machine.Answer{}, machine.FieldProblem("invalid_parameter", "page", fmt.Sprintf("is %d; the last page is %d", p.number, last))
	}
	from := (p.number - 1) * p.size
	out := Page{Count: len(all), Results: all[from:min(from+p.size, len(all))]}
	if p.number < last {
		out.Next = new(x.link(p.number + 1))
	}
	if p.number > 1 {
		out.Previous = new(x.link(p.number - 1))
	}
	return machine.Answer{Body: out}, nil
}

// link returns the absolute URL of another page. The scheme is that of the request as
// the client sent it: a gateway or a proxy says it in X-Forwarded-Proto. Behind several
// proxies the header is a list, and the first one is that of the client. A request of
// HTTP/1.0, or one with an empty Host, names no host: link then returns path and query
// only, because a URL without a host is invalid.
func (x exchange) link(page int) string {
	q := url.Values{}
	for name, values := range x.Query {
		q[name] = slices.Clone(values)
	}
	q.Set("page", strconv.Itoa(page))
	path := x.Path() + "?" + q.Encode()
	if x.Request.Host == "" {
		return path
	}
	u := url.URL{Scheme: "http", Host: x.Request.Host}
	proto, _, _ := strings.Cut(x.Request.Header.Get("X-Forwarded-Proto"), ",")
	if x.Request.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https") {
		u.Scheme = "https"
	}
	return u.String() + path
}

// boolean reads a parameter as Python's clients write it: True, in any case.
func boolean(q url.Values, parameter string) (bool, error) {
	switch text := strings.ToLower(q.Get(parameter)); {
	case !q.Has(parameter), text == "false":
		return false, nil
	case text == "true":
		return true, nil
	}
	return false, machine.FieldProblem("invalid_parameter", parameter, "must be true or false")
}

// show answers a token in any state: VAST keeps revoked tokens in an archive.
func (x exchange) show() (machine.Answer, error) {
	t, err := x.Config.Issuer.Get(x.Request.Context(), x.Principal, x.Request.PathValue("id"),
		events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("showing a token: %w", err)
	}
	return machine.Answer{Body: tokenOf(t)}, nil
}

// modify changes the name and the expiry. The lifetime begins with the creation of the
// token.
func (x exchange) modify() (machine.Answer, error) {
	var named word
	var expiry string
	u := token.Update{}
	err := x.Decode(
		machine.Given("name", wantWord, &u.Given.Name, &named),
		machine.Value("expiry_date", wantExpiry, &expiry),
	)
	if err != nil {
		return machine.Answer{}, err
	}
	if u.Wish, err = wishOf(string(named), expiry); err != nil {
		return machine.Answer{}, err
	}
	u.Given.Expiry = expiry != ""
	if _, err := x.Config.Issuer.Update(x.Request.Context(), x.Principal, x.Request.PathValue("id"), u); err != nil {
		return machine.Answer{}, fmt.Errorf("changing a token: %w", err)
	}
	return machine.Answer{Body: "API token modified"}, nil
}

func (x exchange) revoke() (machine.Answer, error) {
	if err := x.Decode(); err != nil {
		return machine.Answer{}, err
	}
	if err := x.Config.Issuer.Revoke(x.Request.Context(), x.Principal, x.Request.PathValue("id")); err != nil {
		return machine.Answer{}, fmt.Errorf("revoking a token: %w", err)
	}
	return machine.Answer{Body: "API token revoked"}, nil
}
