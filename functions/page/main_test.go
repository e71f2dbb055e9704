package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/page"
)

// api answers each call and keeps it.
type api struct{ calls []*http.Request }

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.calls = append(a.calls, r)
	body := `{"id":"1","name":"ann","user":{"domain":"LOCAL","name":"ann"},"permissions":[]}`
	if strings.HasSuffix(r.URL.Path, "/limit") {
		body = `{"user":{"domain":"LOCAL","name":"ann"},"token_limit":null,"effective_token_limit":5,"live_tokens":0,"expiration_timeout_seconds":0}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestThePageCallsTheAPIAtItsPublicAddress with the session of the person, and names
// the address that the gateway saw.
func TestThePageCallsTheAPIAtItsPublicAddress(t *testing.T) {
	calls := &api{}
	g := gateway.New(gateway.Config{Handler: newPage("https://tokens.example.com", calls, slog.New(slog.DiscardHandler))})
	const session = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	in := lambdaevents.APIGatewayProxyRequest{
		HTTPMethod: http.MethodGet, Path: "/ui/create", Resource: "/ui/{proxy+}", Headers: map[string]string{"Cookie": "__Host-apitoken=" + session, page.AddressHeader: "203.0.113.9"},
		MultiValueHeaders: map[string][]string{"Cookie": {"__Host-apitoken=" + session}, page.AddressHeader: {"203.0.113.9"}},
		RequestContext:    lambdaevents.APIGatewayProxyRequestContext{Path: "/ui/create", Identity: lambdaevents.APIGatewayRequestIdentity{SourceIP: "192.0.2.7"}},
	}
	payload, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := g.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var out lambdaevents.APIGatewayProxyResponse
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if out.StatusCode != http.StatusOK || !strings.Contains(out.Body, "<h1>New token</h1>") {
		t.Fatalf("got %d %s", out.StatusCode, out.Body)
	}
	if len(calls.calls) == 0 {
		t.Fatal("the page has called nothing")
	}
	for _, c := range calls.calls {
		if c.URL.Scheme != "https" || c.URL.Host != "tokens.example.com" || c.Header.Get("Authorization") != "Bearer "+session {
			t.Errorf("%s with %q", c.URL, c.Header.Get("Authorization"))
		}
		if got := c.Header.Values(page.AddressHeader); len(got) != 1 || got[0] != "192.0.2.7" {
			t.Errorf("%s: the address is %v", c.URL, got)
		}
	}
}

func TestThePageDoesNotStartWithoutTheAddressOfTheAPI(t *testing.T) {
	for _, text := range []string{"", "http://tokens.example.com", "https://tokens.example.com/path"} {
		if _, err := handler(func(string) string { return text }, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "PUBLIC_URL") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := handler(func(string) string { return "https://tokens.example.com" }, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
