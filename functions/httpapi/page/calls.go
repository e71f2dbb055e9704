package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// The calls of the API that the Go client does not have.

const maxAnswer = 1 << 20

// issuers are the ways to sign in without a token.
type issuers struct {
	Issuers  []signInIssuer `json:"issuers"`
	Password bool           `json:"password"`
}

type signInIssuer struct {
	Alias   string `json:"alias"`
	Issuer  string `json:"issuer"`
	Browser bool   `json:"browser"` // login?issuer=ALIAS signs in with a browser
}

// signInWays asks the API how people can sign in.
func (v *visit) signInWays() (out issuers, err error) {
	return out, v.call(http.MethodGet, "/v1/session/issuers", secret.Secret{}, "", nil, &out)
}

// exchange opens a session with one of our own tokens (RFC 8693).
func (v *visit) exchange(token secret.Secret) (secret.Secret, error) {
	in := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token.Reveal()},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"ui":                 {"true"},
	}
	var out struct {
		AccessToken secret.Secret `json:"access_token"`
	}
	err := v.call(http.MethodPost, "/v1/session/exchange", secret.Secret{}, "application/x-www-form-urlencoded", []byte(in.Encode()), &out)
	return out.AccessToken, err
}

// login opens a session with a password.
func (v *visit) login(user, password string) (secret.Secret, error) {
	in, err := json.Marshal(map[string]any{"username": user, "password": password, "ui": true})
	if err != nil {
		return secret.Secret{}, fmt.Errorf("encoding a sign-in: %w", err)
	}
	var out struct {
		BearerToken secret.Secret `json:"bearer_token"`
	}
	err = v.call(http.MethodPost, "/v1/session/login", secret.Secret{}, "application/json", in, &out)
	return out.BearerToken, err
}

// introspect asks whether a token would pass.
func (v *visit) introspect(text string) (out httpapi.Introspection, err error) {
	in, err := json.Marshal(map[string]string{"token": text})
	if err != nil {
		return out, fmt.Errorf("encoding a search: %w", err)
	}
	return out, v.call(http.MethodPost, "/v1/auth/authorize", v.session, "application/json", in, &out)
}

// call sends one request and decodes its answer. It returns a *httpapi.Problem if the
// answer is not a success. Its errors contain no part of a body.
func (v *visit) call(method, path string, credential secret.Secret, contentType string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(v.context(), method, v.Base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json, application/problem+json")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if t := credential.Reveal(); t != "" {
		r.Header.Set("Authorization", "Bearer "+t)
	}
	answer, err := (&http.Client{Transport: v.transport(), CheckRedirect: noRedirect}).Do(r)
	if err != nil {
		return fmt.Errorf("asking the service: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the service's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return problemIn(answer, text)
	}
	if json.Unmarshal(text, out) != nil {
		return errors.New("the answer of the service is not JSON")
	}
	return nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// problemIn reads a problem object, or the error of an OAuth call or of a login.
func problemIn(answer *http.Response, text []byte) *httpapi.Problem {
	p := &httpapi.Problem{}
	var other struct {
		Description string `json:"error_description"`
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if strings.HasSuffix(kind, "json") {
		_, _ = json.Unmarshal(text, p), json.Unmarshal(text, &other) // a text that is no problem leaves p empty
	}
	p.Status = answer.StatusCode
	if p.Detail == "" {
		p.Detail = other.Description
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	return p
}

// isNotFound reports whether the API says that there is no such token.
func isNotFound(err error) bool {
	p, ok := errors.AsType[*httpapi.Problem](err)
	return ok && p.Status == http.StatusNotFound
}
