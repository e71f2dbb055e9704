package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

func TestClientReturnsTheAnswersOfTheService(t *testing.T) {
	w := newScene(t)
	ctx, c := t.Context(), w.client(w.admin)
	made, err := c.Create(ctx, httpapi.CreateRequest{
		User: named("ann"), Name: "n", Description: "d", ExpirationTime: httpapi.Time{Time: w.clock().Add(time.Hour)},
		Scopes: []string{"GET /v1/*"}, SourceIPs: []string{"192.0.2.7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.Get(ctx, made.ID)
	if err != nil || shown.ID != made.ID || shown.User.Name != "ann" || shown.SourceIPs[0].String() != "192.0.2.7/32" || !shown.LastUsed.IsZero() {
		t.Errorf("got %+v, %v", shown, err)
	}
	if made.ETag == "" || made.ETag != shown.ETag {
		t.Errorf("the new token has the ETag %s, want %s", made.ETag, shown.ETag)
	}
	second, err := c.Create(ctx, httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1D"})
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.List(ctx, httpapi.ListQuery{User: "ann", States: []string{"active", "disabled"}, Limit: 1})
	if err != nil || len(page.Entries) != 1 || page.Paging.After == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	page, err = c.List(ctx, httpapi.ListQuery{User: "ann", States: []string{"active", "disabled"}, After: page.Paging.After, Limit: 1})
	if err != nil || len(page.Entries) != 1 || page.Paging.After != "" {
		t.Errorf("got %+v, %v", page, err)
	}
	if err := c.Revoke(ctx, second.ID); err != nil {
		t.Error(err)
	}
	history, err := c.TokenEvents(ctx, second.ID, httpapi.HistoryQuery{Limit: 1})
	if err != nil || len(history.Entries) != 1 || history.Paging.After == "" {
		t.Errorf("got %+v, %v", history, err)
	}
	history, err = c.UserEvents(ctx, "ann", httpapi.HistoryQuery{After: "1"})
	if err != nil || len(history.Entries) != 2 {
		t.Errorf("got %+v, %v", history, err)
	}
	self, err := c.WhoAmI(ctx)
	if err != nil || self.ID != name.Number("admin") || self.Name != "admin" || !slices.Contains(self.Permissions, "create") {
		t.Errorf("got %+v, %v", self, err)
	}
	if v, err := httpapi.NewClient(w.server.URL+"/", secret.Secret{}, nil).Version(ctx); err != nil || v.Version != "1.2.3" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestClientReturnsRefusalsAsProblems(t *testing.T) {
	w := newScene(t)
	_, err := w.client(w.admin).Get(t.Context(), "zzzzzzzz")
	p, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || p.Code != "not_found" || p.Status != http.StatusNotFound || p.Detail == "" || !strings.Contains(err.Error(), p.RequestID) {
		t.Errorf("got %v, want the problem", err)
	}
	_, err = w.client(w.admin).Get(t.Context(), w.admin) // a token in place of an id
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Code != "token_in_path" {
		t.Errorf("got %v, want token_in_path", err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), w.admin[9:]) {
		t.Errorf("the error contains the token: %v", err)
	}
}

// TestClientErrorsContainNoToken covers errors of the network, answers of other
// services and wrong addresses.
func TestClientErrorsContainNoToken(t *testing.T) {
	const text = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %v", r.Header)
	}))
	defer elsewhere.Close()
	serve := func(status int, kind, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		base    string
		token   string
		problem int // the status of the problem; 0: the error is no problem
	}{
		"a closed port":     {t.Context(), "http://127.0.0.1:1", text, 0},
		"cancelled":         {cancelled, serve(200, "application/json", "{}"), text, 0},
		"a bad address":     {t.Context(), "::", text, 0},
		"a line break":      {t.Context(), serve(200, "application/json", "{}"), text + "\n" + text, 0},
		"a proxy":           {t.Context(), serve(502, "text/html", "<h1>Bad Gateway "+text+"</h1>"), text, 502},
		"a redirect":        {t.Context(), serve(307, "text/html", ""), text, 307},
		"another service":   {t.Context(), serve(200, "text/html", "<h1>"+text+"</h1>"), text, 200},
		"another problem":   {t.Context(), serve(400, "application/problem+json", `{"title":"`+text+`"}`), text, 400},
		"no problem at all": {t.Context(), serve(500, "application/json", `[1]`), text, 500},
		"an empty answer":   {t.Context(), serve(200, "application/json", ""), text, 200},
		"a wrong time":      {t.Context(), serve(200, "application/json", `{"creation_time":"`+text+`"}`), text, 200},
		"a gateway's problem without status": {
			t.Context(), serve(415, "application/problem+json", `{"title":"x","detail":"x","code":"refused_by_gateway","errors":[]}`), text, 415,
		},
		"a gateway's object": {t.Context(), serve(403, "application/json", `{"message":"Forbidden"}`), text, 403},
	} {
		_, err := httpapi.NewClient(c.base, secret.New(c.token), nil).Get(c.ctx, "JhxND7ci")
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), text) {
			t.Errorf("%s: the error contains the token: %v", name, err)
		}
		p, ok := errors.AsType[*httpapi.Problem](err)
		if ok != (c.problem != 0) || ok && p.Status != c.problem {
			t.Errorf("%s: got %v, want a problem with status %d", name, err, c.problem)
		}
		if name == "cancelled" && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want an error that wraps context.Canceled", err)
		}
	}
}
