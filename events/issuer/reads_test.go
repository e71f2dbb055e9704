package issuer_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// readCounter is a store that notes all its reads, with the key of each.
type readCounter struct {
	events.Store
	mu    sync.Mutex
	reads []string
}

func (c *readCounter) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, fmt.Sprintf(format, args...))
}

// taken returns the reads since the last call of taken.
func (c *readCounter) taken() (reads []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads, c.reads = c.reads, nil
	return reads
}

func (c *readCounter) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	c.note("head %s", s)
	return c.Store.Head(ctx, s)
}

func (c *readCounter) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	c.note("history %s", s)
	return c.Store.History(ctx, s, after, limit)
}

func (c *readCounter) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	c.note("walk")
	return c.Store.Walk(ctx, after, limit)
}

func (c *readCounter) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	c.note("token %s", id)
	return c.Store.Token(ctx, id)
}

func (c *readCounter) Reply(ctx context.Context, key string) (events.Reply, error) {
	c.note("reply")
	return c.Store.Reply(ctx, key)
}

func (c *readCounter) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	c.note("tokens of %s", q.Owners)
	return c.Store.Tokens(ctx, q)
}

func (c *readCounter) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	c.note("uses of %d tokens", len(ids))
	return c.Store.LastUses(ctx, ids)
}

// target is a user that a caller asks about, and a token of that user.
type target struct {
	owner string
	id    string
	text  string
}

// refusedCalls are the calls of the issuer about another user. caller is a user who
// may not make the call. want are the reads; ID is the id of the token.
var refusedCalls = []struct {
	method string
	caller string
	call   func(s *scene, by guard.Principal, about target) (answer any, err error)
	want   string
}{
	{"Create", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		made, _, err := s.Create(s.Context(), by, about.owner, token.Wish{})
		return made, err
	}, "[head settings]"},
	{"Create", "viewer", func(s *scene, by guard.Principal, about target) (any, error) {
		made, _, err := s.Create(s.Context(), by, about.owner, largest())
		return made, err
	}, "[head settings]"},
	{"CreateOnce", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		by.TokenID = "JhxND7ci"
		return s.CreateOnce(s.Context(), by, someKey, about.owner, token.Wish{})
	}, "[head settings]"},
	{"List", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.List(s.Context(), by, issuer.ListQuery{Owners: []string{about.owner}})
	}, "[head settings]"},
	{"List", "maker", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.List(s.Context(), by, issuer.ListQuery{Owners: []string{about.owner, by.Owner}, States: []events.TokenState{events.StateRevoked}})
	}, "[head settings tokens of [maker]]"},
	{"UserEvents", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.UserEvents(s.Context(), by, about.owner, 0, 0)
	}, "[head settings]"},
	{"SessionEvents", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.SessionEvents(s.Context(), by, about.owner, 0, 0)
	}, "[head settings]"},
	{"AllEvents", "stranger", func(s *scene, by guard.Principal, _ target) (any, error) {
		return s.AllEvents(s.Context(), by, "", 0)
	}, "[head settings]"},
	{"AllEvents", "maker", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.AllEvents(s.Context(), by, events.Place(about.owner), 0)
	}, "[head settings]"},
	{"Get", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Get(s.Context(), by, about.id)
	}, "[token ID head settings]"},
	{"GetAt", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.GetAt(s.Context(), by, about.id, s.now())
	}, "[token ID head settings]"},
	{"TokenEvents", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.TokenEvents(s.Context(), by, about.id, 0, 0)
	}, "[token ID head settings]"},
	{"Revoke", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return nil, s.Revoke(s.Context(), by, about.id)
	}, "[token ID head settings]"},
	{"Revoke", "maker", func(s *scene, by guard.Principal, about target) (any, error) {
		return nil, s.Revoke(s.Context(), by, about.id)
	}, "[token ID head settings]"},
	{"RevokeWithChildren", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return nil, s.RevokeWithChildren(s.Context(), by, about.id)
	}, "[token ID head settings]"},
	{"Update", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Update(s.Context(), by, about.id, token.Update{})
	}, "[token ID head settings]"},
	{"Rotate", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		made, _, err := s.Rotate(s.Context(), by, about.id, nil, nil)
		return made, err
	}, "[token ID head settings]"},
	{"RotateOnce", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		by.TokenID = "JhxND7ci"
		return s.RotateOnce(s.Context(), by, someKey, about.id, nil, nil)
	}, "[token ID head settings]"},
	{"Suspend", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Suspend(s.Context(), by, about.owner, "")
	}, "[head settings]"},
	{"Reinstate", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Reinstate(s.Context(), by, about.owner, "")
	}, "[head settings]"},
	{"Offboard", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Offboard(s.Context(), by, about.owner, "")
	}, "[head settings]"},
	{"SetLimit", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.SetLimit(s.Context(), by, about.owner, new(7))
	}, "[head settings]"},
	{"Account", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Account(s.Context(), by, about.owner)
	}, "[head settings]"},
	{"Permissions", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Permissions(s.Context(), by, about.owner)
	}, "[head settings]"},
	{"SetPermissions", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.SetPermissions(s.Context(), by, about.owner, settings.Actions())
	}, "[head settings head settings]"},
	{"SetGroup", "stranger", func(s *scene, by guard.Principal, _ target) (any, error) {
		return s.SetGroup(s.Context(), by, "corp", "g", settings.Actions())
	}, "[head settings head settings]"},
	{"ChangeSettings", "stranger", func(s *scene, by guard.Principal, _ target) (any, error) {
		return s.ChangeSettings(s.Context(), by, settings.Change{TokenLimit: new(7)})
	}, "[head settings head settings]"},
	{"Settings", "stranger", func(s *scene, by guard.Principal, _ target) (any, error) {
		return s.Settings(s.Context(), by)
	}, "[head settings]"},
	{"Describe", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Describe(s.Context(), by, about.text, here)
	}, "[token ID head settings]"},
	{"Introspect", "stranger", func(s *scene, by guard.Principal, about target) (any, error) {
		return s.Introspect(s.Context(), by, about.text, "", here)
	}, "[token ID head settings]"},
}

// TestCallsAboutAnotherUserReadNothingOfThatUser: the answer and the reads are the
// same for a user with five large tokens, for a user with one small token, for a
// user with permissions, and for an absent user. By an id only the one view is
// read, because the view names the owner. A read of a stream would take longer for
// a user with more tokens.
func TestCallsAboutAnotherUserReadNothingOfThatUser(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView, settings.ActionEdit, settings.ActionDelete)
	s.grant("maker", settings.ActionCreate, settings.ActionEdit, settings.ActionDelete)
	s.grant("root", settings.Actions()...)
	unknown := secret.Mint("")
	targets := []target{{"absent", unknown.ID, unknown.Text().Reveal()}}
	for owner, wish := range map[string]token.Wish{"small": {}, "root": {}, "large": largest()} {
		made, text := s.create(person(owner), "", wish)
		targets = append(targets, target{owner, made.ID, text.Text().Reveal()})
		for owner == "large" && s.state(owner).Live(s.now()) < 5 {
			s.create(person(owner), "", wish)
		}
	}
	for _, c := range refusedCalls {
		first := ""
		for n, about := range targets {
			counter := &readCounter{Store: s.store}
			s.useStore(counter)
			answer, err := c.call(s, person(c.caller), about)
			if reads := strings.ReplaceAll(fmt.Sprint(counter.taken()), about.id, "ID"); reads != c.want {
				t.Errorf("%s by %s about %s reads %s, want %s", c.method, c.caller, about.owner, reads, c.want)
			}
			text := fmt.Sprintf("%+v, %v", answer, err)
			if n == 0 {
				first = text
			}
			if text != first {
				t.Errorf("%s by %s about %s: got %s, about an absent user %s", c.method, c.caller, about.owner, text, first)
			}
		}
	}
}

// TestRefusedRevokeOfAVisibleTokenReadsNoStream: the caller may view the token, but
// not delete it.
func TestRefusedRevokeOfAVisibleTokenReadsNoStream(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	made, _ := s.create(person("ann"), "", largest())
	counter := &readCounter{Store: s.store}
	s.useStore(counter)
	if got := refusalCode(t, s.Revoke(t.Context(), person("viewer"), made.ID)); got != token.CodePermissionDenied {
		t.Errorf("got %q, want %s", got, token.CodePermissionDenied)
	}
	if got := counter.taken(); !slices.Equal(got, []string{"token " + made.ID, "head settings"}) {
		t.Errorf("got the reads %q, want the view and the settings", got)
	}
}

// TestCreateForAUserWithMoreReadsNothingOfThatUser: a holder of create may make
// tokens only for users that hold no action which the holder lacks.
func TestCreateForAUserWithMoreReadsNothingOfThatUser(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	s.grant("maker", settings.ActionCreate, settings.ActionView)
	s.grant("editor", settings.ActionEdit)
	s.grant("viewer", settings.ActionView)
	s.create(person("admin"), "", largest())
	for _, c := range []struct{ by, owner, code string }{
		{"maker", "admin", token.CodeDeniedByOwner},
		{"maker", "editor", token.CodeDeniedByOwner},
		{"maker", "viewer", ""},
		{"maker", "stranger", ""},
		{"maker", "maker", ""},
		{"admin", "maker", ""},
		{"admin", "editor", ""},
		{"viewer", "admin", token.CodePermissionDenied},
		{"editor", "stranger", token.CodePermissionDenied},
	} {
		counter := &readCounter{Store: s.store}
		s.useStore(counter)
		_, _, err := s.Create(t.Context(), person(c.by), c.owner, token.Wish{})
		if got := refusalCode(t, err); got != c.code {
			t.Errorf("%s for %s: got %q, want %q", c.by, c.owner, got, c.code)
		}
		if reads := counter.taken(); c.code != "" && !slices.Equal(reads, []string{"head settings"}) {
			t.Errorf("%s for %s: got the reads %q, want the settings only", c.by, c.owner, reads)
		}
	}
}

// TestEveryCallAboutAnotherUserIsCounted: a new call of the issuer needs a row in
// refusedCalls.
func TestEveryCallAboutAnotherUserIsCounted(t *testing.T) {
	own := []string{"WhoAmI", "OpenSessionWith"} // about the caller only
	typ := reflect.TypeFor[*issuer.Issuer]()
	for m := range typ.Methods() {
		takesCaller := false
		for i := range m.Type.NumIn() {
			takesCaller = takesCaller || m.Type.In(i) == reflect.TypeFor[guard.Principal]()
		}
		counted := slices.Contains(own, m.Name)
		for _, c := range refusedCalls {
			counted = counted || c.method == m.Name
		}
		if takesCaller && !counted {
			t.Errorf("refusedCalls has no row for %s", m.Name)
		}
	}
}

// largest is a wish for a token that is almost as large as is allowed.
func largest() token.Wish {
	return token.Wish{
		Name: strings.Repeat("n", 128), Description: strings.Repeat("d", 512),
		Scopes: slices.Repeat([]string{"GET /" + strings.Repeat("s", 123)}, 16),
	}
}
