package issuer_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// revokeShown shows a secret, and returns the id of the token that the service found.
func (s *scene) revokeShown(text string) (id string) {
	s.Helper()
	p, err := s.RevokeShown(s.Context(), text, here)
	if err != nil {
		s.Errorf("showing a secret: got %v, want no error", err)
	}
	return p.TokenID
}

// TestWhoHasTheCurrentSecretEndsTheToken: no permission, scope, range, state or rate
// matters. A suspended owner, a disabled token and a full hour change nothing.
func TestWhoHasTheCurrentSecretEndsTheToken(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	ann, ranges := person("ann"), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	narrow, narrowSecret := s.create(ann, "", token.Wish{Scopes: []string{"GET /nothing"}, SourceIPs: ranges})
	disabled, disabledSecret := s.create(ann, "", token.Wish{})
	_, rotated := s.create(ann, "", token.Wish{})
	suspended, suspendedSecret := s.create(person("sue"), "", token.Wish{})
	s.update(ann, disabled.ID, token.Update{Enabled: new(false)})
	current := s.rotate(ann, rotated.ID, nil)
	if err := errorOf(s.Suspend(t.Context(), person("admin"), "sue", "")); err != nil {
		t.Fatal(err)
	}
	s.changeRate(1)
	for id, shown := range map[string]secret.Token{narrow.ID: narrowSecret, disabled.ID: disabledSecret, rotated.ID: current, suspended.ID: suspendedSecret} {
		if got := s.revokeShown(shown.Text().Reveal()); got != id {
			t.Errorf("got the token %q, want %s", got, id)
		}
		if got := s.denialOf(shown); got != guard.CodeRevoked {
			t.Errorf("token %s: got %q, want %s", id, got, guard.CodeRevoked)
		}
	}
	if got := s.denialOf(rotated); got != guard.CodeRevoked {
		t.Errorf("the outgoing secret of a revoked token: got %q, want %s", got, guard.CodeRevoked)
	}
	all := s.checkedLog("ann")
	last := all[len(all)-1]
	f, err := events.Decode(last)
	want := events.TokenRevoked{TokenID: last.TokenID, Owner: "ann", Cause: events.CausePossession}
	if err != nil || !reflect.DeepEqual(f, want) || last.Actor != "ann" || last.TokenID == "" || !strings.Contains(string(last.Private), here.String()) {
		t.Errorf("got %+v, %v by %+v, want %+v by the token itself from %s", f, err, last, want, here)
	}
}

// TestAnOutgoingSecretEndsOnlyItself: the new secret still passes, and the service
// publishes no reuse.
func TestAnOutgoingSecretEndsOnlyItself(t *testing.T) {
	s := newScene(t)
	made, old := s.create(person("ann"), "", token.Wish{})
	current := s.rotate(person("ann"), made.ID, new(time.Hour))
	records := len(s.checkedLog("ann"))
	s.changeRate(1)
	pending := s.types(events.UserStream("ann"), 0)
	if got := s.revokeShown(old.Text().Reveal()); got != made.ID || s.denialOf(current) != "" {
		t.Errorf("got the token %q, and for the new secret %q; want %s, and that it passes", got, s.denialOf(current), made.ID)
	}
	if got := s.types(events.UserStream("ann"), records); !slices.Equal(got, []string{"TokenUpdated"}) {
		t.Errorf("the log has %v after %v, want one update", got, pending)
	}
	messages, err := s.store.Pending(t.Context(), s.now().Add(time.Hour), 1000)
	if err != nil || slices.ContainsFunc(messages, func(m events.Message) bool { return m.Type == "TokenReused" }) {
		t.Errorf("got the messages %v, %v, want no reuse", messages, err)
	}
	if got := s.denialOf(old); got != guard.CodeReplaced {
		t.Errorf("the outgoing secret gets %q, want %s", got, guard.CodeReplaced)
	}
	if s.revokeShown(old.Text().Reveal()); s.denialOf(current) != "" || len(s.checkedLog("ann")) != records+1 {
		t.Errorf("a secret that was replaced changed something: %q and %d records", s.denialOf(current), len(s.checkedLog("ann")))
	}
}

// TestATextThatGivesNothingChangesNothing, and is no error.
func TestATextThatGivesNothingChangesNothing(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	live, liveSecret := s.create(ann, "", token.Wish{})
	_, expired := s.create(ann, "", token.Wish{ExpiresIn: time.Second})
	_, revoked := s.create(ann, "", token.Wish{})
	if err := s.Revoke(t.Context(), ann, revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Minute)
	text := liveSecret.Text().Reveal()
	before := s.snapshot("ann")
	for name, c := range map[string]struct{ text, id string }{
		"unknown": {secret.Mint("").Text().Reveal(), ""}, "another secret": {withAnotherSecret(text), ""}, "a mistyped one": {text[:len(text)-1] + "~", ""},
		"empty": {"", ""}, "an id": {live.ID, ""}, "long": {strings.Repeat("A", 1<<16), ""}, "two": {text + " " + text, ""},
		"expired": {expired.Text().Reveal(), expired.ID}, "revoked": {revoked.Text().Reveal(), revoked.ID},
	} {
		if got := s.revokeShown(c.text); got != c.id {
			t.Errorf("%s: got the token %q, want %q", name, got, c.id)
		}
	}
	if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
		t.Errorf("the store has\n%+v\nwant\n%+v", after, before)
	}
}

// TestASecretThatIsRotatedMeanwhileEndsOnlyItself: the rotation comes between the
// check of the secret and the command. So the secret is an outgoing one then.
func TestASecretThatIsRotatedMeanwhileEndsOnlyItself(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		s := newScene(t)
		made, old := s.create(person("ann"), "", token.Wish{})
		other := issuer.New(issuer.Config{Store: s.store, Keys: storetest.Keys, Now: s.now})
		var current secret.Token
		s.useFaulty(func(op storetest.Op) storetest.Fault {
			if op == storetest.OpHead && current.ID == "" {
				_, text, err := other.Rotate(t.Context(), person("ann"), made.ID, nil, &grace)
				if err != nil {
					t.Error(err)
				}
				current = s.parse(text)
			}
			return storetest.None
		})
		s.revokeShown(old.Text().Reveal())
		s.useStore(s.store)
		if s.denialOf(current) != "" || s.denialOf(old) != guard.CodeReplaced {
			t.Errorf("grace %v: the new secret gets %q and the old one %q, want that only the new one passes", grace, s.denialOf(current), s.denialOf(old))
		}
	}
}

// TestAViewThatWasPutBackKeepsNoShownSecret: the token ends again, or the answer is a
// fault. It is never a success while the secret passes.
func TestAViewThatWasPutBackKeepsNoShownSecret(t *testing.T) {
	hour, none := time.Hour, time.Duration(0)
	for name, c := range map[string]struct {
		putBack func(s *scene, id string, save func())
		fault   bool
	}{
		"the token is revoked": {func(s *scene, id string, save func()) {
			save()
			must(s, s.Revoke(s.Context(), person("ann"), id))
		}, false},
		"the secret was replaced": {func(s *scene, id string, save func()) {
			save()
			s.rotate(person("ann"), id, &none)
		}, true},
		"the token with the outgoing secret is revoked": {func(s *scene, id string, save func()) {
			s.rotate(person("ann"), id, &hour)
			save()
			must(s, s.Revoke(s.Context(), person("ann"), id))
		}, true},
	} {
		s := newScene(t)
		store := bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
		s.store = store
		s.useStore(store)
		made, shown := s.create(person("ann"), "", token.Wish{})
		saved := store.Item(t, store.ViewKey(made.ID))
		c.putBack(s, made.ID, func() { saved = store.Item(t, store.ViewKey(made.ID)) })
		store.PutItem(t, store.ViewKey(made.ID), saved)
		records := len(s.types(events.UserStream("ann"), 0))
		_, err := s.RevokeShown(t.Context(), shown.Text().Reveal(), here)
		switch {
		case c.fault && !errors.Is(err, events.ErrDamaged):
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		case c.fault && len(s.types(events.UserStream("ann"), records)) > 0:
			t.Errorf("%s: the fault wrote something", name)
		case !c.fault && (err != nil || s.denialOf(shown) != guard.CodeRevoked):
			t.Errorf("%s: got %v, and the secret gets %q, want %s", name, err, s.denialOf(shown), guard.CodeRevoked)
		}
	}
}

// TestDescribeSaysWhatAPassingTokenAllows, and of every other token only that it does
// not pass.
func TestDescribeSaysWhatAPassingTokenAllows(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	ann, elsewhere := person("ann"), netip.MustParseAddr("192.0.2.1")
	scopes := []string{"GET /v1/things/*", "POST /v1/things"}
	made, scoped := s.create(ann, "", token.Wish{Scopes: scopes, ExpiresIn: 3 * time.Hour})
	rangedMade, ranged := s.create(ann, "", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	_, disabled := s.create(ann, "", token.Wish{})
	s.update(ann, disabled.ID, token.Update{Enabled: new(false)})
	rotatedMade, outgoing := s.create(ann, "", token.Wish{ExpiresIn: 3 * time.Hour})
	current := s.rotate(ann, rotatedMade.ID, new(time.Hour))
	replacedMade, replaced := s.create(ann, "", token.Wish{})
	s.rotate(ann, replacedMade.ID, new(time.Duration(0)))
	end := start.Add(3 * time.Hour)
	full := issuer.Description{Active: true, ID: made.ID, Owner: "ann", Scopes: scopes, CreatedAt: start, ExpiresAt: end}
	grace := issuer.Description{Active: true, ID: rotatedMade.ID, Owner: "ann", CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
	after := grace
	after.ExpiresAt = end
	for name, c := range map[string]struct {
		caller string
		shown  secret.Token
		source netip.Addr
		want   issuer.Description
	}{
		"own":                      {"ann", scoped, netip.Addr{}, full},
		"by a viewer":              {"viewer", scoped, elsewhere, full},
		"in its range":             {"viewer", ranged, here, issuer.Description{Active: true, ID: rangedMade.ID, Owner: "ann", CreatedAt: start}},
		"out of its range":         {"viewer", ranged, elsewhere, issuer.Description{}},
		"range, address unknown":   {"ann", ranged, netip.Addr{}, issuer.Description{}},
		"disabled":                 {"ann", disabled, here, issuer.Description{}},
		"an outgoing secret":       {"ann", outgoing, here, grace},
		"the new secret":           {"viewer", current, here, after},
		"a replaced secret":        {"viewer", replaced, here, issuer.Description{}},
		"a token that nobody made": {"viewer", secret.Mint(""), here, issuer.Description{}},
	} {
		got, err := s.Describe(t.Context(), person(c.caller), c.shown.Text().Reveal(), c.source)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if got, err := s.Describe(t.Context(), person("viewer"), "no token", here); err != nil || got.Active {
		t.Errorf("a text: got %+v, %v, want an inactive token", got, err)
	}
	stranger := map[string]string{"live": scoped.Text().Reveal(), "disabled": disabled.Text().Reveal(), "unknown": secret.Mint("").Text().Reveal(), "a text": "hello"}
	for name, text := range stranger {
		got, err := s.Describe(t.Context(), person("stranger"), text, here)
		if code := refusalCode(t, err); code != token.CodePermissionDenied || got.Active || got.ID != "" {
			t.Errorf("%s, for a stranger: got %+v, %q, want %s", name, got, code, token.CodePermissionDenied)
		}
	}
}
