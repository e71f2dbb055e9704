package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"apitoken/events/secret"
)

// maxAnswer is the maximum number of bytes that the client reads of one answer.
// It is more than a full page: 1000 entries of less than 4 KB each.
const maxAnswer = 16 << 20

// Client calls the service. Its methods return a *Problem if the answer is not a
// success, also if the answer comes from a proxy or from another service. Other
// errors are wrapped errors of the network, or say that a page leads to itself. No error and no URL contains the
// token. A Client follows no redirect: the service sends none, and another host
// must not get the token.
type Client struct {
	base  string
	token secret.Secret
	http  *http.Client

	retryWait time.Duration // between two tries of a request
}

// NewClient returns a client of the service at base. The base may have a path,
// like "https://host/stage". If hc is nil, the client uses http.DefaultClient.
func NewClient(base string, token secret.Secret, hc *http.Client) *Client {
	if hc == nil {
		hc = http.DefaultClient
	}
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &own, retryWait: retryWait}
}

// ListQuery selects tokens. The zero ListQuery asks for the first page of all
// live tokens that the caller may see.
type ListQuery struct {
	User   string   // NAME, local:NAME, ad:NAME, auth_id:N, uid:N or a SID; "": all
	States []string // of active, disabled, expired, revoked; none: active and disabled
	Kind   string   // token or session; "": token
	Filter Filter   // selects some of these tokens
	After  string   // the Paging.After of the page before; "": from the first token
	Limit  int      // entries; 0: 100, above 1000: 1000
}

// HistoryQuery selects records of a history. The zero HistoryQuery asks for the
// first page.
type HistoryQuery struct {
	After string // the Paging.After of the page before; "": from the first record
	Limit int    // records; 0: 100, above 1000: 1000
}

// Create creates a token. Only this answer contains its secret. If no answer
// arrives, or the service is not available, Create sends the request again with
// the same new Idempotency-Key, so it never makes two tokens. If the last try has
// no answer either, the token may exist.
func (c *Client) Create(ctx context.Context, in CreateRequest) (Created, error) {
	key := rand.Text()
	return retried(ctx, c.retryWait, func() (Created, error) { return c.CreateWithKey(ctx, key, in) })
}

// CreateWithKey sends one request with the caller's Idempotency-Key, which has 16
// to 255 letters, digits and hyphens. Another call with the same key and request
// within 24 hours returns the same answer, also by another client with the same
// token.
func (c *Client) CreateWithKey(ctx context.Context, key string, in CreateRequest) (Created, error) {
	var header http.Header
	made, err := askFor[Created](ctx, c, &header, http.Header{keyHeader: {key}}, http.MethodPost, collectionPath, nil, in)
	made.ETag, made.Replayed = header.Get("ETag"), isReplayed(header)
	return made, err
}

// isReplayed reports whether the answer is that of an earlier request.
func isReplayed(header http.Header) bool { return header.Get("Idempotent-Replayed") == "true" }

// List returns one page of tokens, in the order of their creation. A page may have
// no entries and still have a next page. Pages reads all pages.
func (c *Client) List(ctx context.Context, q ListQuery) (List, error) {
	query := pageQuery(q.After, q.Limit)
	if q.User != "" {
		query.Set("user", q.User)
	}
	if q.Kind != "" {
		query.Set("kind", q.Kind)
	}
	if len(q.States) > 0 {
		query.Set("state", strings.Join(q.States, ","))
	}
	q.Filter.addTo(query)
	page, err := ask[List](ctx, c, http.MethodGet, collectionPath, query, nil)
	if err == nil {
		err = checkMoves(q.After, page.Paging)
	}
	return page, err
}

// Get returns one token without its secret.
func (c *Client) Get(ctx context.Context, id string) (Entry, error) {
	return c.entry(ctx, nil, http.MethodGet, itemPath(id), nil)
}

// TokenEvents returns one page of a token's history, the oldest record first.
func (c *Client) TokenEvents(ctx context.Context, id string, q HistoryQuery) (History, error) {
	return c.history(ctx, itemPath(id)+"/events", q)
}

// UserEvents returns one page of the history of all tokens of a user, the oldest
// record first. The user is written as in ListQuery.
func (c *Client) UserEvents(ctx context.Context, user string, q HistoryQuery) (History, error) {
	return c.history(ctx, userPath(user)+"/events", q)
}

// GetSelf returns the client's own token without its secret. The calls about the
// own token need no scope.
func (c *Client) GetSelf(ctx context.Context) (Entry, error) {
	return c.entry(ctx, nil, http.MethodGet, selfPath, nil)
}

// SelfEvents returns one page of the history of the client's own token, the
// oldest record first.
func (c *Client) SelfEvents(ctx context.Context, q HistoryQuery) (History, error) {
	return c.history(ctx, selfPath+"/events", q)
}

// AllEvents returns one page of the events of all users and of the settings. It
// takes view. The events of one stream are together, the oldest first. A page may
// have no entries and still have a next page. Pages reads all pages. If no answer
// arrives, or the service is not available, AllEvents sends the request again: a
// pass may have thousands of pages.
func (c *Client) AllEvents(ctx context.Context, q HistoryQuery) (EventsPage, error) {
	page, err := retried(ctx, c.retryWait, func() (EventsPage, error) {
		return ask[EventsPage](ctx, c, http.MethodGet, eventsPath, pageQuery(q.After, q.Limit), nil)
	})
	if err == nil {
		err = checkMoves(q.After, page.Paging)
	}
	return page, err
}

func (c *Client) history(ctx context.Context, path string, q HistoryQuery) (History, error) {
	page, err := ask[History](ctx, c, http.MethodGet, path, pageQuery(q.After, q.Limit), nil)
	if err == nil {
		err = checkMoves(q.After, page.Paging)
	}
	return page, err
}

// entry sends a request whose answer is one entry with its ETag.
func (c *Client) entry(ctx context.Context, more http.Header, method, path string, in any) (Entry, error) {
	var header http.Header
	e, err := askFor[Entry](ctx, c, &header, more, method, path, nil, in)
	e.ETag = header.Get("ETag")
	return e, err
}

// WhoAmI returns the user that the client's token acts for.
func (c *Client) WhoAmI(ctx context.Context) (WhoAmI, error) {
	return ask[WhoAmI](ctx, c, http.MethodGet, "/v1/session/who-am-i", nil, nil)
}

// Health answers if the service can do its work. The call needs no token.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return ask[Health](ctx, c, http.MethodGet, "/healthz", nil, nil)
}

// Version returns the release of the service. It needs no token.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return ask[Version](ctx, c, http.MethodGet, "/v1/version", nil, nil)
}

func itemPath(id string) string { return collectionPath + "/" + segment(id) }

// segment escapes a text as one segment of a path. It escapes the dots of a text
// that has only dots, because "." and ".." are steps in a path.
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

// ask sends one request and decodes its answer as an Answer.
func ask[Answer any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (Answer, error) {
	return askWith[Answer](ctx, c, nil, method, path, query, in)
}

// askWith is ask with more headers.
func askWith[Answer any](ctx context.Context, c *Client, more http.Header, method, path string, query url.Values, in any) (Answer, error) {
	var header http.Header
	return askFor[Answer](ctx, c, &header, more, method, path, query, in)
}

// askFor is askWith. It also returns the headers of the answer, in header.
func askFor[Answer any](ctx context.Context, c *Client, header *http.Header, more http.Header, method, path string, query url.Values, in any) (out Answer, err error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	res, err := c.send(ctx, more, method, target, in)
	if err != nil {
		return out, fmt.Errorf("asking the service: %w", err)
	}
	*header = res.Header
	return answerIn[Answer](res, problemIn)
}

// answerIn reads and decodes an answer, and closes its body. problemOf is the error of an
// answer without success.
func answerIn[Answer any](res *http.Response, problemOf func(*http.Response, []byte) error) (out Answer, err error) {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("reading the service's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return out, problemOf(res, body)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		// The body may contain a token, so the error does not quote the body.
		return out, &Problem{Status: res.StatusCode, Detail: foreignAnswer, Errors: []FieldError{}}
	}
	return out, nil
}

func (c *Client) send(ctx context.Context, more http.Header, method, target string, in any) (*http.Response, error) {
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
	maps.Copy(req.Header, more)
	req.Header.Set("Accept", "application/json, "+problemType)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if t := c.token.Reveal(); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	return c.http.Do(req)
}

// foreignAnswer is the detail of a Problem that the client makes itself.
const foreignAnswer = "the answer does not come from this service; check the address of the service"

// problemIn returns the problem object of an answer. A gateway's problem may lack the
// status. If a proxy or another service sent the answer, problemIn returns a Problem
// without a code.
func problemIn(res *http.Response, body []byte) error {
	p := &Problem{}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && kind == problemType && json.Unmarshal(body, p) == nil && p.Code != "" {
		p.Status = cmp.Or(p.Status, res.StatusCode)
		return p
	}
	return &Problem{
		Status: res.StatusCode, Title: http.StatusText(res.StatusCode), Errors: []FieldError{},
		Detail:    foreignAnswer,
		Retryable: res.StatusCode == http.StatusBadGateway || res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusGatewayTimeout,
	}
}
