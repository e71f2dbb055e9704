package issuer_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// listedNames returns the names of all tokens of a list, read page by page.
func (s *scene) listedNames(caller string, q issuer.ListQuery) (names []string) {
	s.Helper()
	for {
		page, err := s.List(s.Context(), person(caller), q)
		if err != nil {
			s.Fatal(err)
		}
		if q.Limit > 0 && len(page.Tokens) > q.Limit {
			s.Fatalf("got %d tokens on a page of %d", len(page.Tokens), q.Limit)
		}
		for _, t := range page.Tokens {
			names = append(names, t.Name)
		}
		if !page.More {
			return names
		}
		q.After = page.Next
	}
}

// populatedScene has the tokens a1 b1 c1 a2 b2 c2 ... of three owners, created in
// this order. The third token of each owner is expired, the fourth is revoked.
func populatedScene(t *testing.T) *scene {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	owners := map[string]string{"a": "ann", "b": "ACTIVE_DIRECTORY:ann", "c": "POSIX_USER:ann"}
	for n := 1; n <= 4; n++ {
		for _, letter := range []string{"a", "b", "c"} {
			s.wait(time.Second)
			wish := token.Wish{Name: fmt.Sprint(letter, n)}
			if n == 3 {
				wish.ExpiresIn = time.Minute
			}
			made, _ := s.create(person(owners[letter]), "", wish)
			if n == 4 {
				if err := s.Revoke(t.Context(), person(owners[letter]), made.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	s.wait(time.Hour)
	return s
}

func TestListShowsOnlyTokensThatTheCallerMayView(t *testing.T) {
	s := populatedScene(t)
	all, _ := name.OwnersNamed("ann")
	for name, test := range map[string]struct {
		caller string
		query  issuer.ListQuery
		want   string
	}{
		"own":                    {"ann", issuer.ListQuery{}, "[a1 a2]"},
		"own by name":            {"ann", issuer.ListQuery{Owners: []string{"ann"}}, "[a1 a2]"},
		"own among more":         {"ann", issuer.ListQuery{Owners: all}, "[a1 a2]"},
		"another's":              {"ann", issuer.ListQuery{Owners: all[1:]}, "[]"},
		"own expired":            {"ann", issuer.ListQuery{States: []events.TokenState{events.StateExpired}}, "[a3]"},
		"own revoked":            {"ann", issuer.ListQuery{States: []events.TokenState{events.StateRevoked}}, "[a4]"},
		"own in several states":  {"ann", issuer.ListQuery{States: []events.TokenState{events.StateActive, events.StateRevoked}}, "[a1 a2 a4]"},
		"own disabled":           {"ann", issuer.ListQuery{States: []events.TokenState{events.StateDisabled}}, "[]"},
		"own, without tokens":    {"stranger", issuer.ListQuery{}, "[]"},
		"all owners":             {"viewer", issuer.ListQuery{}, "[a1 b1 c1 a2 b2 c2]"},
		"three owners":           {"viewer", issuer.ListQuery{Owners: all}, "[a1 b1 c1 a2 b2 c2]"},
		"an owner named twice":   {"viewer", issuer.ListQuery{Owners: []string{"ann", "ann"}}, "[a1 a2]"},
		"more owners than heads": {"viewer", issuer.ListQuery{Owners: append(slices.Clone(all), "bob")}, "[a1 b1 c1 a2 b2 c2]"},
		"ended tokens of all":    {"viewer", issuer.ListQuery{States: []events.TokenState{events.StateExpired, events.StateRevoked}}, "[a3 b3 c3 a4 b4 c4]"},
		"three owners' revoked":  {"viewer", issuer.ListQuery{Owners: all, States: []events.TokenState{events.StateRevoked}}, "[a4 b4 c4]"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int{0, 1, 2, 3, 1000, 5000} {
				test.query.Limit = limit
				if got := fmt.Sprint(s.listedNames(test.caller, test.query)); got != test.want {
					t.Errorf("limit %d: got %s, want %s", limit, got, test.want)
				}
			}
		})
	}
}

func TestListPagesStayRightWhileTokensChange(t *testing.T) {
	s := populatedScene(t)
	page, err := s.List(t.Context(), person("ann"), issuer.ListQuery{Limit: 1})
	if err != nil || !page.More {
		t.Fatalf("got %+v %v, want a first page of two", page, err)
	}
	if err := s.Revoke(t.Context(), person("ann"), page.Tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	s.create(person("ann"), "", token.Wish{Name: "a5"})
	if got := fmt.Sprint(s.listedNames("ann", issuer.ListQuery{After: page.Next})); got != "[a2 a5]" {
		t.Errorf("got %s, want [a2 a5]", got)
	}
}

func TestListRefusesUnknownStates(t *testing.T) {
	s := newScene(t)
	for _, state := range []events.TokenState{events.StateGone, "Active", ""} {
		_, err := s.List(t.Context(), person("ann"), issuer.ListQuery{States: []events.TokenState{events.StateActive, state}})
		if got := refusalCode(t, err); got != token.CodeInvalidField {
			t.Errorf("%q: got %q, want %s", state, got, token.CodeInvalidField)
		}
	}
}

// TestListShowsStateAndLastUse, both from heads and from the index.
func TestListShowsStateAndLastUse(t *testing.T) {
	s := newScene(t)
	s.create(person("ann"), "", token.Wish{})
	_, shown := s.create(person("ann"), "", token.Wish{})
	s.wait(time.Second)
	if got := s.denialOf(shown); got != "" {
		t.Fatal(got)
	}
	s.create(person("ann"), "", token.Wish{}) // the store writes the use with this commit, at the latest
	for _, states := range [][]events.TokenState{nil, {events.StateActive, events.StateRevoked}} {
		page, err := s.List(t.Context(), person("ann"), issuer.ListQuery{States: states})
		if err != nil || len(page.Tokens) != 3 {
			t.Fatalf("got %d tokens %v, want 3", len(page.Tokens), err)
		}
		for _, got := range page.Tokens {
			want := events.Use{}
			if got.ID == shown.ID {
				want = events.Use{At: s.now(), Address: here.String()}
			}
			if !got.LastUse.At.Equal(want.At) || got.LastUse.Address != want.Address || got.State != events.StateActive || got.Owner != "ann" {
				t.Errorf("got %+v, want last use %+v", got, want)
			}
		}
	}
}

// TestLiveListOfOneOwnerReadsOnlyTheHead: the list is as fresh as the last commit,
// because it never uses an index.
func TestLiveListOfOneOwnerReadsOnlyTheHead(t *testing.T) {
	s := populatedScene(t)
	s.useFaulty(func(op storetest.Op) storetest.Fault {
		if op == storetest.OpTokens || op == storetest.OpHistory || op == storetest.OpToken {
			t.Errorf("the list called %s", op)
		}
		return storetest.None
	})
	if got := len(s.listedNames("ann", issuer.ListQuery{Owners: []string{"ann"}})); got != 2 {
		t.Errorf("got %d tokens, want 2", got)
	}
}

// TestListOfOneOwnersLiveTokensHasTheAccount, because it reads the owner's head anyway.
// No other list has one.
func TestListOfOneOwnersLiveTokensHasTheAccount(t *testing.T) {
	s := populatedScene(t)
	all, _ := name.OwnersNamed("ann")
	ann, revoked := []string{"ann"}, []events.TokenState{events.StateRevoked}
	for what, test := range map[string]struct {
		caller string
		query  issuer.ListQuery
		want   string // the owner of the account; "": none
	}{
		"own":                 {"ann", issuer.ListQuery{}, "ann"},
		"own on a page":       {"ann", issuer.ListQuery{Limit: 1}, "ann"},
		"own with a filter":   {"ann", issuer.ListQuery{Filter: issuer.Filter{NeverExpires: new(false)}}, "ann"},
		"own disabled":        {"ann", issuer.ListQuery{States: []events.TokenState{events.StateDisabled}}, "ann"},
		"own revoked":         {"ann", issuer.ListQuery{States: revoked}, ""},
		"own sessions":        {"ann", issuer.ListQuery{Kind: events.KindSession}, ""},
		"own without tokens":  {"stranger", issuer.ListQuery{}, "stranger"},
		"another's":           {"ann", issuer.ListQuery{Owners: all[1:2]}, ""},
		"another's to see":    {"viewer", issuer.ListQuery{Owners: ann}, "ann"},
		"of several":          {"viewer", issuer.ListQuery{Owners: all}, ""},
		"of all":              {"viewer", issuer.ListQuery{}, ""},
		"another's with view": {"viewer", issuer.ListQuery{Owners: ann, States: revoked}, ""},
	} {
		page, err := s.List(t.Context(), person(test.caller), test.query)
		if err != nil {
			t.Fatal(err)
		}
		if test.want == "" {
			if page.Account != nil {
				t.Errorf("%s: got the account of %s, want none", what, page.Account.Owner)
			}
			continue
		}
		want, err := s.Account(t.Context(), person(test.want), test.want)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(page.Account, &want) {
			t.Errorf("%s: got %+v, want %+v", what, page.Account, want)
		}
	}
}

// TestListOfTheOwnTokensReadsTheHeadOnce, and the settings at most once in 5 seconds.
func TestListOfTheOwnTokensReadsTheHeadOnce(t *testing.T) {
	s := populatedScene(t)
	counter := &readCounter{Store: s.store}
	s.useStore(counter)
	q := issuer.ListQuery{Owners: []string{"ann"}}
	for _, want := range []string{"[head user/ann head settings uses of 2 tokens]", "[head user/ann uses of 2 tokens]"} {
		if _, err := s.List(t.Context(), person("ann"), q); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(counter.taken()); got != want {
			t.Errorf("got the reads %s, want %s", got, want)
		}
	}
}
