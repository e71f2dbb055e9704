package main

import (
	"context"
	"maps"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/storetest"
	"apitoken/functions/gateway"
)

// oneRead counts the reads of an authorization.
type oneRead struct {
	events.Store
	tokens, others int
}

func (s *oneRead) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	s.tokens++
	return s.Store.Token(ctx, id)
}

func (s *oneRead) Head(ctx context.Context, stream events.Stream) (events.Head, error) {
	s.others++
	return s.Store.Head(ctx, stream)
}

func (s *oneRead) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	s.others++
	return s.Store.Tokens(ctx, q)
}

// TestASessionIsAllowedAfterOneReadAndTravelsWhole: the context gives a handler the
// principal that the guard found.
func TestASessionIsAllowedAfterOneReadAndTravelsWhole(t *testing.T) {
	s := newScene(t)
	settingstest.Apply(t, s.store, storetest.Keys, s.now, time.Hour, settings.MapGroup{Alias: "corp", Group: "g", Actions: []string{"view"}})
	_, text, err := s.issuer.OpenSession(t.Context(), issuer.SignIn{
		Owner: "ann", Via: guard.ViaExchange, Alias: "corp", Issuer: "https://id.example.com", Subject: "ann", Groups: []string{"g"}, Until: s.now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	counted := &oneRead{Store: s.store}
	s.authorizer = s.newAuthorizer(guard.New(guard.Config{Views: counted, Uses: counted, Notices: counted, Keys: storetest.Keys, Now: func() time.Time { return s.now }}))
	for _, form := range forms {
		counted.tokens = 0
		r := s.reply(form, text.Reveal())
		if !r.allowed() || counted.tokens != 1 || counted.others != 0 {
			t.Errorf("%s: got %+v after %d reads of tokens and %d others, want it allowed after one", form, r, counted.tokens, counted.others)
		}
		if r.Context["kind"] != guard.KindSession || r.Context["via"] != guard.ViaExchange || r.Context["permissions"] != `["view"]` || r.Context["makes_until"] == "" {
			t.Errorf("%s: the context is %v", form, r.Context)
		}
		known := gateway.Context(guard.Principal{})
		for name := range maps.Keys(known) {
			if _, there := r.Context[name]; !there {
				t.Errorf("%s: the context has no %s", form, name)
			}
		}
	}
}
