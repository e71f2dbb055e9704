package issuer_test

import (
	"errors"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestPermissionsDecideWhoMayViewAndRevoke has a row for each caller, with the
// answers of Get, the histories and Revoke.
func TestPermissionsDecideWhoMayViewAndRevoke(t *testing.T) {
	for _, test := range []struct {
		caller                string
		view, revoke, history string // codes; empty: allowed
	}{
		{"ann", "", "", ""},
		{"stranger", token.CodeNotFound, token.CodeNotFound, token.CodePermissionDenied},
		{"deleter", token.CodeNotFound, token.CodeNotFound, token.CodePermissionDenied},
		{"viewer", "", token.CodePermissionDenied, ""},
		{"warden", "", "", ""},
	} {
		t.Run(test.caller, func(t *testing.T) {
			s := newScene(t)
			s.grant("deleter", settings.ActionDelete, settings.ActionCreate, settings.ActionEdit)
			s.grant("viewer", settings.ActionView)
			s.grant("warden", settings.ActionView, settings.ActionDelete)
			made, shown := s.create(person("ann"), "", token.Wish{})
			by := person(test.caller)
			_, err := s.Get(t.Context(), by, made.ID)
			if got := refusalCode(t, err); got != test.view {
				t.Errorf("Get: got %q, want %q", got, test.view)
			}
			_, err = s.GetAt(t.Context(), by, made.ID, made.CreatedAt)
			if got := refusalCode(t, err); got != test.view {
				t.Errorf("GetAt: got %q, want %q", got, test.view)
			}
			_, err = s.TokenEvents(t.Context(), by, made.ID, 0, 0)
			if got := refusalCode(t, err); got != test.view {
				t.Errorf("TokenEvents: got %q, want %q", got, test.view)
			}
			_, err = s.UserEvents(t.Context(), by, "ann", 0, 0)
			if got := refusalCode(t, err); got != test.history {
				t.Errorf("UserEvents: got %q, want %q", got, test.history)
			}
			all := token.CodePermissionDenied // also for an owner
			if test.view == "" && test.caller != "ann" {
				all = ""
			}
			_, err = s.AllEvents(t.Context(), by, "", 0)
			if got := refusalCode(t, err); got != all {
				t.Errorf("AllEvents: got %q, want %q", got, all)
			}
			if got := refusalCode(t, s.Revoke(t.Context(), by, made.ID)); got != test.revoke {
				t.Errorf("Revoke: got %q, want %q", got, test.revoke)
			}
			if revoked := s.denialOf(shown) == guard.CodeRevoked; revoked != (test.revoke == "") {
				t.Errorf("the token is revoked: %v, want %v", revoked, test.revoke == "")
			}
		})
	}
}

// TestForbiddenAndMissingGetTheSameAnswer if the caller may not view the token:
// the same refusal, and a fault for both when the store fails.
func TestForbiddenAndMissingGetTheSameAnswer(t *testing.T) {
	s := newScene(t)
	s.grant("deleter", settings.ActionDelete)
	made, _ := s.create(person("ann"), "", token.Wish{})
	s.create(person("deleter"), "", token.Wish{})
	calls := map[string]func(by guard.Principal, id string) error{
		"Get": func(by guard.Principal, id string) error { _, err := s.Get(t.Context(), by, id); return err },
		"GetAt": func(by guard.Principal, id string) error {
			_, err := s.GetAt(t.Context(), by, id, s.now())
			return err
		},
		"Revoke": func(by guard.Principal, id string) error { return s.Revoke(t.Context(), by, id) },
		"TokenEvents": func(by guard.Principal, id string) error {
			_, err := s.TokenEvents(t.Context(), by, id, 0, 0)
			return err
		},
	}
	for name, call := range calls {
		for _, caller := range []string{"stranger", "deleter"} {
			s.useStore(s.store)
			theirs, missing := call(person(caller), made.ID), call(person(caller), "00000000")
			if theirs.Error() != missing.Error() || *theirs.(*events.Refusal) != *missing.(*events.Refusal) {
				t.Errorf("%s by %s: another user's token gives %#v, a missing token %#v", name, caller, theirs, missing)
			}
			for _, id := range []string{made.ID, "00000000"} {
				s.useFaulty(storetest.Once(storetest.OpHead, storetest.Unapplied))
				wantFault(t, name+" without settings", call(person(caller), id))
			}
		}
	}
}

// TestInvalidIDIsNotLookedUp: people paste whole tokens in place of ids, and the
// key of a failed read is part of the error.
func TestInvalidIDIsNotLookedUp(t *testing.T) {
	s := newScene(t)
	_, text, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	s.useFaulty(func(storetest.Op) storetest.Fault { return storetest.Unapplied })
	for _, id := range []string{"", "1234567", "123456789", "1234567.", "1234567é", text.Reveal()} {
		_, err := s.Get(t.Context(), person("ann"), id)
		if got := refusalCode(t, err); got != token.CodeNotFound {
			t.Errorf("%d bytes: got %q, want %s", len(id), got, token.CodeNotFound)
		}
	}
}

func TestEndedTokenByID(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	expired, _ := s.create(ann, "", token.Wish{ExpiresIn: time.Minute})
	revoked, _ := s.create(ann, "", token.Wish{})
	live, _ := s.create(ann, "", token.Wish{})
	revokedAt := s.now()
	if err := s.Revoke(t.Context(), ann, revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Minute)
	if got, err := s.Get(t.Context(), ann, expired.ID); err != nil || got.State != events.StateExpired {
		t.Errorf("Get of an expired token: got %s %v, want %s", got.State, err, events.StateExpired)
	}
	records := len(s.checkedLog("ann"))
	if err := s.Revoke(t.Context(), ann, expired.ID); err != nil || len(s.checkedLog("ann")) != records {
		t.Errorf("Revoke of an expired token: got %v and %d records, want no error and %d", err, len(s.checkedLog("ann")), records)
	}
	_, got := s.Get(t.Context(), ann, revoked.ID)
	for call, err := range map[string]error{"Get": got, "Revoke": s.Revoke(t.Context(), ann, revoked.ID)} {
		r, ok := errors.AsType[*events.Refusal](err)
		if !ok || r.Code != token.CodeNotFoundRevoked || !r.EndedAt.Equal(revokedAt) {
			t.Errorf("%s of a revoked token: got %+v, want %s and the time %s", call, err, token.CodeNotFoundRevoked, revokedAt)
		}
	}
	for _, test := range []struct {
		id     string
		states []events.TokenState
		want   string
		ended  time.Time
	}{
		{revoked.ID, []events.TokenState{events.StateRevoked}, "", revokedAt},
		{revoked.ID, []events.TokenState{events.StateExpired, events.StateRevoked}, "", revokedAt},
		{revoked.ID, []events.TokenState{events.StateActive}, token.CodeNotFoundRevoked, time.Time{}},
		{expired.ID, []events.TokenState{events.StateExpired}, "", expired.ExpiresAt},
		{expired.ID, nil, "", expired.ExpiresAt},
		{expired.ID, []events.TokenState{events.StateRevoked}, token.CodeNotFound, time.Time{}},
		{live.ID, []events.TokenState{events.StateActive}, "", time.Time{}},
		{live.ID, []events.TokenState{events.StateRevoked}, token.CodeNotFound, time.Time{}},
	} {
		found, err := s.Get(t.Context(), ann, test.id, test.states...)
		if code := refusalCode(t, err); code != test.want || !found.EndedTime().Equal(test.ended) {
			t.Errorf("Get with the states %v: got %q, ended %s; want %q, %s", test.states, code, found.EndedTime(), test.want, test.ended)
		}
	}
	if page, err := s.TokenEvents(t.Context(), ann, revoked.ID, 0, 0); err != nil || len(page.Events) != 2 {
		t.Errorf("history of a revoked token: got %d events %v, want 2", len(page.Events), err)
	}
	s.wait(400 * 24 * time.Hour)
	if _, err := s.TokenEvents(t.Context(), ann, revoked.ID, 0, 0); refusalCode(t, err) != token.CodeNotFound {
		t.Errorf("history past its retention: got %v, want %s", err, token.CodeNotFound)
	}
}

// TestEndedTokenOfAnotherUser: only a caller who may view the token learns that it
// has ended, and how.
func TestEndedTokenOfAnotherUser(t *testing.T) {
	s := newScene(t)
	s.grant("deleter", settings.ActionDelete)
	s.grant("viewer", settings.ActionView)
	s.grant("warden", settings.ActionView, settings.ActionDelete)
	expired, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Minute})
	revoked, _ := s.create(person("ann"), "", token.Wish{})
	if err := s.Revoke(t.Context(), person("ann"), revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Minute)
	for caller, want := range map[string][4]string{ // Get and Revoke of the revoked token, Get and Revoke of the expired one
		"ann":      {token.CodeNotFoundRevoked, token.CodeNotFoundRevoked, "", ""},
		"viewer":   {token.CodeNotFoundRevoked, token.CodeNotFoundRevoked, "", token.CodePermissionDenied},
		"warden":   {token.CodeNotFoundRevoked, token.CodeNotFoundRevoked, "", ""},
		"deleter":  {token.CodeNotFound, token.CodeNotFound, token.CodeNotFound, token.CodeNotFound},
		"stranger": {token.CodeNotFound, token.CodeNotFound, token.CodeNotFound, token.CodeNotFound},
	} {
		by := person(caller)
		_, getRevoked := s.Get(t.Context(), by, revoked.ID)
		_, getExpired := s.Get(t.Context(), by, expired.ID)
		_, asked := s.Get(t.Context(), by, revoked.ID, events.StateRevoked)
		got := [4]string{
			refusalCode(t, getRevoked), refusalCode(t, s.Revoke(t.Context(), by, revoked.ID)),
			refusalCode(t, getExpired), refusalCode(t, s.Revoke(t.Context(), by, expired.ID)),
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", caller, got, want)
		}
		if code := refusalCode(t, s.RevokeWithChildren(t.Context(), by, revoked.ID)); code != want[1] {
			t.Errorf("%s revokes the revoked token with its children: got %q, want %q", caller, code, want[1])
		}
		if sees := asked == nil; sees != (want[2] == "") {
			t.Errorf("%s asks for the state revoked: got %v", caller, asked)
		}
		if want[0] == token.CodeNotFound && *getRevoked.(*events.Refusal) != *token.NotFound() {
			t.Errorf("%s: got %+v, want the refusal of a missing token", caller, getRevoked)
		}
	}
}

func TestWhoAmIReturnsThePermissions(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.ActionView, settings.ActionEdit)
	for owner, want := range map[string]int{"admin": 2, "ann": 0} {
		if self, err := s.WhoAmI(t.Context(), person(owner)); err != nil || self.Owner != owner || len(self.Permissions) != want {
			t.Errorf("got %+v %v, want %s with %d permissions", self, err, owner, want)
		}
	}
}
