package settings_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
)

func gives(alias, group string, actions ...string) events.Fact {
	return events.GroupChanged{Alias: alias, Group: group, Actions: append([]string{}, actions...)}
}

func TestAGroupGivesWhatItIsMappedTo(t *testing.T) {
	s := given(gives("corp", "admins", "view", "edit"), gives("corp", "helpers", "view", "create"), gives("lab", "admins", "delete"))
	for name, c := range map[string]struct {
		alias  string
		groups []string
		want   []string
	}{
		"one group":                 {"corp", []string{"admins"}, []string{"view", "edit"}},
		"two groups":                {"corp", []string{"helpers", "admins"}, []string{"view", "create", "edit"}},
		"a group of another issuer": {"lab", []string{"admins"}, []string{"delete"}},
		"an unknown group":          {"corp", []string{"Admins", "admin", ""}, nil},
		"no groups":                 {"corp", nil, nil},
		"an unknown issuer":         {"", []string{"admins"}, nil},
	} {
		if got := s.GroupActions(c.alias, c.groups); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	s = settings.Fold(s, gives("lab", "admins"), noon)
	if got := s.AllGroups(); !reflect.DeepEqual(got, []settings.Group{{"corp", "admins", []string{"view", "edit"}}, {"corp", "helpers", []string{"view", "create"}}}) {
		t.Errorf("after one group lost its actions: got %v", got)
	}
}

func TestDecideAboutGroups(t *testing.T) {
	full := given()
	for n := range settings.MaxGroups {
		full = settings.Fold(full, gives("corp", fmt.Sprintf("group%03d", n), "view"), noon)
	}
	for name, c := range map[string]struct {
		given   settings.State
		command settings.MapGroup
		want    []events.Fact
		code    string
		field   string
	}{
		"the first":            {given(), settings.MapGroup{Alias: "corp", Group: "/a/b c", Actions: []string{"edit", "view"}}, []events.Fact{gives("corp", "/a/b c", "view", "edit")}, "", ""},
		"as it is":             {given(gives("corp", "a", "view")), settings.MapGroup{Alias: "corp", Group: "a", Actions: []string{"view"}}, nil, "", ""},
		"of another issuer":    {given(gives("corp", "a", "view")), settings.MapGroup{Alias: "lab", Group: "a", Actions: []string{"view"}}, []events.Fact{gives("lab", "a", "view")}, "", ""},
		"none":                 {given(gives("corp", "a", "view")), settings.MapGroup{Alias: "corp", Group: "a"}, []events.Fact{gives("corp", "a")}, "", ""},
		"none, again":          {given(), settings.MapGroup{Alias: "corp", Group: "a"}, nil, "", ""},
		"the longest name":     {given(), settings.MapGroup{Alias: "corp", Group: strings.Repeat("g", settings.MaxGroup), Actions: []string{"view"}}, []events.Fact{gives("corp", strings.Repeat("g", settings.MaxGroup), "view")}, "", ""},
		"a longer name":        {given(), settings.MapGroup{Alias: "corp", Group: strings.Repeat("g", settings.MaxGroup+1), Actions: []string{"view"}}, nil, "invalid_field", "group"},
		"no name":              {given(), settings.MapGroup{Alias: "corp", Actions: []string{"view"}}, nil, "invalid_field", "group"},
		"a name with a bell":   {given(), settings.MapGroup{Alias: "corp", Group: "a\a", Actions: []string{"view"}}, nil, "invalid_field", "group"},
		"no alias":             {given(), settings.MapGroup{Group: "a", Actions: []string{"view"}}, nil, "invalid_field", "alias"},
		"an alias in capitals": {given(), settings.MapGroup{Alias: "Corp", Group: "a", Actions: []string{"view"}}, nil, "invalid_field", "alias"},
		"an unknown action":    {given(), settings.MapGroup{Alias: "corp", Group: "a", Actions: []string{"fly"}}, nil, "invalid_field", "permissions"},
		"one too many":         {full, settings.MapGroup{Alias: "lab", Group: "a", Actions: []string{"view"}}, nil, "too_many_groups", "group"},
		"one of the many":      {full, settings.MapGroup{Alias: "corp", Group: "group000", Actions: []string{"edit"}}, []events.Fact{gives("corp", "group000", "edit")}, "", ""},
		"one less":             {full, settings.MapGroup{Alias: "corp", Group: "group000"}, []events.Fact{gives("corp", "group000")}, "", ""},
	} {
		got, err := settings.Decide(c.given, settingstest.ByOperator(c.command))
		r, _ := errors.AsType[*events.Refusal](err)
		switch {
		case c.code == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		case c.code != "" && (r == nil || r.Code != c.code || r.Field != c.field):
			t.Errorf("%s: got %v, %v, want the refusal %s of %s", name, got, err, c.code, c.field)
		}
	}
}

// TestAHolderOfEditMapsOnlyWhatItHolds: by a grant or by its session.
func TestAHolderOfEditMapsOnlyWhatItHolds(t *testing.T) {
	s := given(holds("boss", settings.Actions()...), holds("editor", "view", "edit"), holds("viewer", "view"), gives("corp", "a", "delete"))
	for name, c := range map[string]struct {
		by      token.Maker
		actions []string
		code    string
	}{
		"all, by a holder of all":                 {token.Maker{Owner: "boss"}, settings.Actions(), ""},
		"what the editor holds, beside the other": {token.Maker{Owner: "editor"}, []string{"view", "edit", "delete"}, ""},
		"what the editor lacks":                   {token.Maker{Owner: "editor"}, []string{"create", "delete"}, token.CodePermissionDenied},
		"taking what the editor lacks":            {token.Maker{Owner: "editor"}, []string{"view"}, token.CodePermissionDenied},
		"without edit":                            {token.Maker{Owner: "viewer"}, []string{"view", "delete"}, token.CodePermissionDenied},
		"by a session with edit":                  {token.Maker{Owner: "viewer", Permissions: []string{"edit"}}, []string{"view", "delete"}, ""},
		"by a session with edit, what it lacks":   {token.Maker{Owner: "viewer", Permissions: []string{"edit"}}, []string{"create", "delete"}, token.CodePermissionDenied},
		"by a session with all":                   {token.Maker{Owner: "nobody", Permissions: settings.Actions()}, settings.Actions(), ""},
		"with a secret that was replaced":         {token.Maker{Owner: "boss", Outgoing: true}, settings.Actions(), token.CodeDeniedByCredential},
	} {
		_, err := settings.Decide(s, settings.MapGroup{By: c.by, Alias: "corp", Group: "a", Actions: c.actions})
		r, _ := errors.AsType[*events.Refusal](err)
		if (c.code == "") != (err == nil) || r != nil && r.Code != c.code {
			t.Errorf("%s: got %v, want the code %q", name, err, c.code)
		}
	}
}

// TestASessionsPermissionsNeverBecomeItsOwnersGrants: a session with edit from a group
// gives others what it holds, and its own owner nothing.
func TestASessionsPermissionsNeverBecomeItsOwnersGrants(t *testing.T) {
	s := given(holds("boss", settings.Actions()...), holds("ann", "view"))
	by := token.Maker{Owner: "ann", Permissions: []string{"create", "edit"}}
	for name, c := range map[string]struct {
		user    string
		actions []string
		code    string
	}{
		"itself, an action of the session":       {"ann", []string{"view", "create"}, token.CodePermissionDenied},
		"itself, edit":                           {"ann", []string{"view", "edit"}, token.CodePermissionDenied},
		"itself, less":                           {"ann", nil, ""},
		"another user, an action of the session": {"bob", []string{"create", "edit"}, ""},
		"another user, an action of the owner":   {"bob", []string{"view"}, ""},
		"another user, what the session lacks":   {"bob", []string{"delete"}, token.CodePermissionDenied},
	} {
		_, err := settings.Decide(s, settings.Grant{By: by, User: c.user, Actions: c.actions})
		r, _ := errors.AsType[*events.Refusal](err)
		if (c.code == "") != (err == nil) || r != nil && r.Code != c.code {
			t.Errorf("%s: got %v, want the code %q", name, err, c.code)
		}
	}
}

// TestWhatACallerMayDo: by a grant of its owner, or by its session.
func TestWhatACallerMayDo(t *testing.T) {
	s := given(holds("ann", "view"), holds("boss", "view", "edit"))
	session := settings.Caller{Owner: "ann", Session: []string{"edit", "delete"}}
	if got := s.ActionsOf(session); !slices.Equal(got, []string{"view", "edit", "delete"}) {
		t.Errorf("the session may do %v", got)
	}
	if got := s.ActionsOf(settings.Caller{Owner: "ann"}); !slices.Equal(got, []string{"view"}) {
		t.Errorf("a token may do %v", got)
	}
	if !s.MayAllOf(session, "boss") || s.MayAllOf(settings.Caller{Owner: "ann"}, "boss") || s.MayAllOf(settings.Caller{Session: []string{"edit"}}, "boss") {
		t.Error("a session counts like the grants of its owner, and only these")
	}
	if s.Holds("ann", "edit") {
		t.Error("the session's action is a grant")
	}
}
