package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"apitoken/events/secret"
)

// maxAnswer bounds what the client reads of one answer: a full page of 1000
// entries, each of which stays under 4 KB, and room beyond that.
const maxAnswer = 16 << 20

// Client calls the service. A refusal is a *Problem, also when something
// between client and service answered in its place; anything else is a wrapped
// error of the network. No error and no URL holds the token. A Client follows
// no redirect, since the service has none and the token is not for others.
type Client struct {
	base  string
	token secret.Secret
	http  *http.Client
}

// NewClient makes a client of the service at base, which may have a path, like
// "https://host/stage". A nil hc is http.DefaultClient.
func NewClient(base string, token secret.Secret, hc *http.Client) *Client {
	if hc == nil {
		hc = http.DefaultClient
	}
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &own}
}

// ListQuery selects tokens. The zero ListQuery asks for the first page of all
// live tokens that the caller may see.
type ListQuery struct {
	User   string   // NAME, local:NAME, ad:NAME, auth_id:N, uid:N or a SID; "": all
	States []string // of active, disabled, expired, revoked; none: active and disabled
	After  string   // as Paging.After gives it
	Limit  int      // 0: the service's default
}

// HistoryQuery selects records of a history.
type HistoryQuery struct {
	After string // as Paging.After gives it
	Limit int    // 0: the service's default
}

// After is the cursor of the next page, "" if there is none.
func (p Paging) After() string {
	_, query, _ := strings.Cut(p.Next, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return values.Get("after")
}

// Create makes a token; only this answer holds its secret.
func (c *Client) Create(ctx context.Context, in CreateRequest) (Created, error) {
	return ask[Created](ctx, c, http.MethodPost, collectionPath, nil, in)
}

// List gives one page of tokens.
func (c *Client) List(ctx context.Context, q ListQuery) (List, error) {
	query := pageQuery(q.After, q.Limit)
	if q.User != "" {
		query.Set("user", q.User)
	}
	if len(q.States) > 0 {
		query.Set("state", strings.Join(q.States, ","))
	}
	return ask[List](ctx, c, http.MethodGet, collectionPath, query, nil)
}

// Get shows one token.
func (c *Client) Get(ctx context.Context, id string) (Entry, error) {
	return ask[Entry](ctx, c, http.MethodGet, itemPath(id), nil, nil)
}

// Revoke ends a token for good.
func (c *Client) Revoke(ctx context.Context, id string) error {
	_, err := ask[struct{}](ctx, c, http.MethodDelete, itemPath(id), nil, nil)
	return err
}

// TokenEvents gives one page of a token's history.
func (c *Client) TokenEvents(ctx context.Context, id string, q HistoryQuery) (History, error) {
	return ask[History](ctx, c, http.MethodGet, itemPath(id)+"/events", pageQuery(q.After, q.Limit), nil)
}

// UserEvents gives one page of the history of a user's tokens.
func (c *Client) UserEvents(ctx context.Context, user string, q HistoryQuery) (History, error) {
	return ask[History](ctx, c, http.MethodGet, "/v1/users/"+segment(user)+"/events", pageQuery(q.After, q.Limit), nil)
}

// WhoAmI says whom the client's token acts for.
func (c *Client) WhoAmI(ctx context.Context) (Self, error) {
	return ask[Self](ctx, c, http.MethodGet, "/v1/session/who-am-i", nil, nil)
}

// Version names the service's release. It needs no token.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return ask[Version](ctx, c, http.MethodGet, "/v1/version", nil, nil)
}

func itemPath(id string) string { return collectionPath + "/" + segment(id) }

// segment is one segment of a path. One that has only dots would be taken for
// a step within the path.
func segment(text string) string {
	if strings.Trim(text, ".") == "" {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

func pageQuery(after string, limit int) url.Values {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
}

// ask sends one request and reads its answer as an Answer.
func ask[Answer any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (out Answer, err error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	res, err := c.send(ctx, method, target, in)
	if err != nil {
		return out, fmt.Errorf("asking the service: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("reading the service's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return out, problemIn(res, body)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		// The body may hold a token, so the error says nothing of it.
		return out, &Problem{Status: res.StatusCode, Detail: "the answer is not what this service answers; is the address right?", Errors: []FieldError{}}
	}
	return out, nil
}

func (c *Client) send(ctx context.Context, method, target string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, "+problemType)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if t := c.token.Reveal(); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	return c.http.Do(req)
}

// problemIn is the problem object in a refusal, or one made in its place when
// something else answered: a proxy, or a service that is not this one.
func problemIn(res *http.Response, body []byte) *Problem {
	p := &Problem{}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && kind == problemType && json.Unmarshal(body, p) == nil && p.Code != "" {
		return p
	}
	return &Problem{
		Status: res.StatusCode, Title: http.StatusText(res.StatusCode), Errors: []FieldError{},
		Detail:    "the answer is not one of this service; is the address right?",
		Retryable: res.StatusCode == http.StatusBadGateway || res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusGatewayTimeout,
	}
}
