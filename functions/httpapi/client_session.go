package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/secret"
)

// SignInWays returns the ways to sign in. The call needs no token.
func (c *Client) SignInWays(ctx context.Context) (SignInWays, error) {
	return ask[SignInWays](ctx, c, http.MethodGet, issuersPath, nil, nil)
}

// LogIn opens a session with a password. The call needs no token.
func (c *Client) LogIn(ctx context.Context, in LoginRequest) (LoggedIn, error) {
	return ask[LoggedIn](ctx, c, http.MethodPost, loginPath, nil, in)
}

// ExchangeIDToken opens a session for the person of an ID token. The call needs no token.
func (c *Client) ExchangeIDToken(ctx context.Context, idToken secret.Secret) (out Exchanged, err error) {
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {idToken.Reveal()},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+exchangePath, strings.NewReader(form.Encode()))
	if err != nil {
		return out, fmt.Errorf("asking the service: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json, "+problemType)
	res, err := c.http.Do(r)
	if err != nil {
		return out, fmt.Errorf("asking the service: %w", err)
	}
	return answerIn[Exchanged](res, oauthProblemIn)
}

// oauthProblemIn is the problem in an answer that OAuth defines. A problem about the path
// or the method is in the service's own form.
func oauthProblemIn(res *http.Response, body []byte) error {
	var e OAuthError
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || json.Unmarshal(body, &e) != nil || cmp.Or(e.Code, e.Error) == "" {
		return problemIn(res, body)
	}
	p := &Problem{Status: res.StatusCode, Title: http.StatusText(res.StatusCode), Detail: e.Description, Code: e.Code, RequestID: e.RequestID, Errors: []FieldError{}}
	if p.Code == "" {
		return errors.New(foreignAnswer)
	}
	p.Retryable = res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests
	return p
}
