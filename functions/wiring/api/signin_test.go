package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/secret"
	"apitoken/functions/httpapi/signin"
	"apitoken/infra/oidc"
	"apitoken/infra/oidc/oidctest"
)

// TestABrowserSignsInThroughAPIGateway: the payloads keep the cookies and the redirects.
func TestABrowserSignsInThroughAPIGateway(t *testing.T) {
	d := deployWithLogGroup(t)
	d.PublicURL = "https://tokens.example.com"
	p := oidctest.Start(t, time.Now)
	id, text := p.Client()
	ids := oidc.New(oidc.Config{Issuers: []oidc.Issuer{{Alias: "work", URL: p.URL(), ClientID: id, Secret: secret.New(text)}}})
	h := serveWith(d.Function, "login", ids)
	begun := d.browse(h, "/ui/login", url.Values{"issuer": {"work"}}, "")
	to, cookie := first(begun, "Location"), first(begun, "Set-Cookie")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	back, err := r.Location()
	if err != nil || !strings.HasPrefix(back.String(), d.PublicURL+"/ui/callback?") {
		t.Fatalf("the provider sends the browser to %v (%v)", back, err)
	}
	value, _, _ := strings.Cut(cookie, ";")
	ended := d.browse(h, "/ui/callback", back.Query(), value)
	cookies := strings.Join(all(ended, "Set-Cookie"), "\n")
	if ended.StatusCode != http.StatusSeeOther || first(ended, "Location") != "./" || !strings.Contains(cookies, signin.SessionCookie+"=") || !strings.Contains(cookies, "__Host-apitoken-login=;") {
		t.Errorf("got %+v, want a session and the end of the sign-in", ended)
	}
}

// browse makes a call as a REST API sends it for a browser.
func (d *deployment) browse(h lambda.Handler, path string, query url.Values, cookie string) (a answer) {
	d.Helper()
	in := lambdaevents.APIGatewayProxyRequest{
		HTTPMethod: http.MethodGet, Path: path, MultiValueQueryStringParameters: query, MultiValueHeaders: map[string][]string{},
		RequestContext: lambdaevents.APIGatewayProxyRequestContext{Path: path},
	}
	if cookie != "" {
		in.MultiValueHeaders["Cookie"] = []string{cookie}
	}
	payload, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	out, err := h.Invoke(d.Context(), payload)
	if err != nil {
		d.Fatal(err)
	}
	if err := json.Unmarshal(out, &a); err != nil {
		d.Fatal(err)
	}
	return a
}

func all(a answer, name string) (values []string) {
	for header, given := range a.MultiValueHeaders {
		if strings.EqualFold(header, name) {
			values = append(values, given...)
		}
	}
	for header, given := range a.Headers {
		if strings.EqualFold(header, name) {
			values = append(values, given)
		}
	}
	return values
}

func first(a answer, name string) string { return append(all(a, name), "")[0] }
