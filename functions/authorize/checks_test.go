package main

import (
	"errors"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/events/token/tokentest"
	"apitoken/functions/gateway"
)

// TestAnOutgoingSecretPassesUntilTheEndOfItsGrace: the context says so, because a
// cache of API Gateway may keep it.
func TestAnOutgoingSecretPassesUntilTheEndOfItsGrace(t *testing.T) {
	for _, wish := range []token.Wish{{}, {ExpiresIn: 24 * time.Hour}, {ExpiresIn: time.Minute}} {
		s := newScene(t)
		made, old := s.token(wish)
		tokentest.Rotate(t, s.store, storetest.Keys, s.now, made.ID, time.Hour)
		end := s.now.Add(time.Hour)
		if e := made.ExpiresAt; !e.IsZero() && e.Before(end) {
			end = e
		}
		for _, form := range forms {
			r := s.reply(form, old)
			if want := end.Format("2006-01-02T15:04:05.000000Z"); !r.allowed() || r.Context["credential"] != "outgoing" || r.Context["expires_at"] != want {
				t.Errorf("%s, %+v: got %+v, want an outgoing credential until %s", form, wish, r, want)
			}
		}
	}
}

// TestAReplacedSecretIsUnauthorizedAndPublished once, whatever the form of the
// question is.
func TestAReplacedSecretIsUnauthorizedAndPublished(t *testing.T) {
	s := newScene(t)
	made, old := s.token(token.Wish{})
	tokentest.Rotate(t, s.store, storetest.Keys, s.now, made.ID, 0)
	for _, form := range forms {
		s.log.Reset()
		if answer, err := s.ask(form, old); !errors.Is(err, gateway.ErrUnauthorized) || err.Error() != "Unauthorized" {
			t.Errorf("%s: got %s, %v", form, answer, err)
		}
		if line := s.line(); line["code"] != "token_replaced" || line["token_id"] != made.ID {
			t.Errorf("%s: got the line %v, want token_replaced with the token", form, line)
		}
	}
	ms, err := s.store.Pending(t.Context(), time.Now().Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	notices := 0
	for _, m := range ms {
		if m.Type == "TokenReused" && m.Subject == made.ID {
			notices++
		}
	}
	if notices != 1 {
		t.Errorf("the outbox has %d notices, want 1", notices)
	}
}

// TestAnAllowedQuestionIsAUse with the address of the client. A TOKEN payload has no
// address.
func TestAnAllowedQuestionIsAUse(t *testing.T) {
	for _, form := range forms {
		s := newScene(t)
		made, text := s.token(token.Wish{})
		if _, use, err := s.store.Token(t.Context(), made.ID); err != nil || use != (events.Use{}) {
			t.Errorf("%s: before the first use: got %+v, %v", form, use, err)
		}
		if r := s.reply(form, text); !r.allowed() {
			t.Fatalf("%s: got %+v", form, r)
		}
		s.token(token.Wish{}) // the store writes in order, so the use is stored after this
		want := "203.0.113.9"
		if form == "authorizer-token" {
			want = ""
		}
		if _, use, err := s.store.Token(t.Context(), made.ID); err != nil || use.At.IsZero() || use.Address != want {
			t.Errorf("%s: got the use %+v, %v, want one from %q", form, use, err, want)
		}
	}
}
