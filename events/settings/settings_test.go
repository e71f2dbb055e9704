package settings_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
)

const day = 24 * time.Hour

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// given returns the state after these facts.
func given(facts ...events.Fact) settings.State {
	s := settings.Initial()
	for _, f := range facts {
		s = settings.Fold(s, f, noon)
	}
	return s
}

func holds(user string, actions ...string) events.Fact {
	return events.PermissionsChanged{User: user, Actions: actions}
}

func TestBeforeTheFirstFact(t *testing.T) {
	want := settings.State{TokenLimit: 5, Retention: 400 * day, ChangeRate: 300, RotationGrace: day, WarningDays: []int{30, 7, 1}}
	if got := settings.Initial(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err := settings.DecodeState(0, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from no bytes: got %+v, %v, want %+v", got, err, want)
	}
}

func TestDecide(t *testing.T) {
	all := settings.Actions()
	full := settings.Initial()
	full.Holders = map[string][]string{}
	for i := range settings.MaxHolders {
		full.Holders[fmt.Sprintf("holder%03d", i)] = all
	}
	for name, c := range map[string]struct {
		given   settings.State
		command settings.Command
		want    []events.Fact
		code    string
		field   string
	}{
		"the first grant":             {given(), settings.Grant{User: "ann", Actions: all}, []events.Fact{holds("ann", all...)}, "", ""},
		"in any order, twice":         {given(), settings.Grant{User: "ann", Actions: []string{"delete", "view", "delete"}}, []events.Fact{holds("ann", "view", "delete")}, "", ""},
		"as it is":                    {given(holds("ann", "view", "edit")), settings.Grant{User: "ann", Actions: []string{"edit", "view"}}, nil, "", ""},
		"none to a user without any":  {given(), settings.Grant{User: "ann"}, nil, "", ""},
		"an unknown action":           {given(), settings.Grant{User: "ann", Actions: []string{"view", "VIEW"}}, nil, "invalid_field", "permissions"},
		"no user":                     {given(), settings.Grant{Actions: all}, nil, "invalid_field", "user"},
		"a user in NFD":               {given(), settings.Grant{User: "jose\u0301", Actions: all}, nil, "invalid_field", "user"},
		"a user in NFC":               {given(), settings.Grant{User: "jos\u00e9", Actions: all}, []events.Fact{holds("jos\u00e9", all...)}, "", ""},
		"a directory's user in caps":  {given(), settings.Grant{User: "ACTIVE_DIRECTORY:BOB", Actions: all}, nil, "invalid_field", "user"},
		"a directory's user":          {given(), settings.Grant{User: "ACTIVE_DIRECTORY:bob", Actions: all}, []events.Fact{holds("ACTIVE_DIRECTORY:bob", all...)}, "", ""},
		"a group":                     {given(), settings.Grant{User: "gid:5", Actions: all}, nil, "invalid_field", "user"},
		"taking all away":             {given(holds("ann", all...), holds("bob", "view")), settings.Grant{User: "bob"}, []events.Fact{holds("bob", []string{}...)}, "", ""},
		"the last edit":               {given(holds("ann", all...), holds("bob", "view")), settings.Grant{User: "ann", Actions: []string{"view", "create", "delete"}}, nil, "last_edit_holder", "permissions"},
		"the last edit, with all":     {given(holds("ann", all...)), settings.Grant{User: "ann"}, nil, "last_edit_holder", "permissions"},
		"the last edit stays":         {given(holds("ann", all...)), settings.Grant{User: "ann", Actions: []string{"edit"}}, []events.Fact{holds("ann", "edit")}, "", ""},
		"one edit of two":             {given(holds("ann", all...), holds("bob", "edit")), settings.Grant{User: "ann"}, []events.Fact{holds("ann", []string{}...)}, "", ""},
		"who never held edit":         {given(holds("bob", "view")), settings.Grant{User: "bob"}, []events.Fact{holds("bob", []string{}...)}, "", ""},
		"an operator adds one holder": {full, settings.Grant{User: "ann", Actions: []string{"view"}}, []events.Fact{holds("ann", "view")}, "", ""},
		"one of the many":             {full, settings.Grant{User: "holder000", Actions: []string{"view"}}, []events.Fact{holds("holder000", "view")}, "", ""},
		"one less of the many":        {full, settings.Grant{User: "holder000"}, []events.Fact{holds("holder000", []string{}...)}, "", ""},
		"bad fields before the limit": {full, settings.Grant{User: "ann", Actions: []string{"fly"}}, nil, "invalid_field", "permissions"},

		"all settings": {given(), settings.Change{TokenLimit: new(7), Expiration: new(180 * day), Retention: new(time.Duration(0)), ChangeRate: new(50)},
			[]events.Fact{events.SettingsChanged{TokenLimit: new(7), Expiration: new(int64(15552000)), Retention: new(int64(0)), ChangeRate: new(50)}}, "", ""},
		"only new values": {given(), settings.Change{TokenLimit: new(5), Expiration: new(time.Second), Retention: new(400 * day)},
			[]events.Fact{events.SettingsChanged{Expiration: new(int64(1))}}, "", ""},
		"nothing new":       {given(), settings.Change{TokenLimit: new(5)}, nil, "", ""},
		"nothing":           {given(), settings.Change{}, nil, "", ""},
		"the lowest limit":  {given(), settings.Change{TokenLimit: new(0)}, []events.Fact{events.SettingsChanged{TokenLimit: new(0)}}, "", ""},
		"a lower limit":     {given(), settings.Change{TokenLimit: new(-1)}, nil, "invalid_field", "token_limit"},
		"the highest limit": {given(), settings.Change{TokenLimit: new(50)}, []events.Fact{events.SettingsChanged{TokenLimit: new(50)}}, "", ""},
		"a higher limit":    {given(), settings.Change{TokenLimit: new(51)}, nil, "invalid_field", "token_limit"},
		"the default rate":  {given(), settings.Change{ChangeRate: new(300)}, nil, "", ""},
		"no rate":           {given(), settings.Change{ChangeRate: new(0)}, []events.Fact{events.SettingsChanged{ChangeRate: new(0)}}, "", ""},
		"a rate again":      {given(events.SettingsChanged{ChangeRate: new(0)}), settings.Change{ChangeRate: new(300)}, []events.Fact{events.SettingsChanged{ChangeRate: new(300)}}, "", ""},
		"a lower rate":      {given(), settings.Change{ChangeRate: new(-1)}, nil, "invalid_field", "change_rate"},
		"the highest rate":  {given(), settings.Change{ChangeRate: new(1_000_000)}, []events.Fact{events.SettingsChanged{ChangeRate: new(1_000_000)}}, "", ""},
		"a higher rate":     {given(), settings.Change{ChangeRate: new(1_000_001)}, nil, "invalid_field", "change_rate"},
		"two wrong members": {given(), settings.Change{TokenLimit: new(51), ChangeRate: new(-1)}, nil, "invalid_field", "token_limit"},
		"grace and warnings": {given(), settings.Change{RotationGrace: new(time.Hour), WarningDays: &[]int{3, 14}},
			[]events.Fact{events.SettingsChanged{RotationGrace: new(int64(3600)), WarningDays: &[]int{14, 3}}}, "", ""},
		"no warnings":          {given(), settings.Change{WarningDays: &[]int{}}, []events.Fact{events.SettingsChanged{WarningDays: &[]int{}}}, "", ""},
		"no warnings, again":   {given(events.SettingsChanged{WarningDays: &[]int{}}), settings.Change{WarningDays: &[]int{}}, nil, "", ""},
		"the same warnings":    {given(), settings.Change{WarningDays: &[]int{1, 30, 7}, RotationGrace: new(day)}, nil, "", ""},
		"the longest grace":    {given(), settings.Change{RotationGrace: new(365 * day)}, []events.Fact{events.SettingsChanged{RotationGrace: new(int64(31536000))}}, "", ""},
		"a longer grace":       {given(), settings.Change{RotationGrace: new(365*day + time.Second)}, nil, "invalid_field", "rotation_grace_seconds"},
		"a part of a grace":    {given(), settings.Change{RotationGrace: new(time.Millisecond)}, nil, "invalid_field", "rotation_grace_seconds"},
		"a warning too late":   {given(), settings.Change{WarningDays: &[]int{0}}, nil, "invalid_field", "warning_days"},
		"a warning too early":  {given(), settings.Change{WarningDays: &[]int{366}}, nil, "invalid_field", "warning_days"},
		"a warning twice":      {given(), settings.Change{WarningDays: &[]int{7, 7}}, nil, "invalid_field", "warning_days"},
		"eleven warnings":      {given(), settings.Change{WarningDays: &[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, nil, "invalid_field", "warning_days"},
		"part of a second":     {given(), settings.Change{Expiration: new(1500 * time.Millisecond)}, nil, "invalid_field", "expiration_timeout_seconds"},
		"a negative lifetime":  {given(), settings.Change{Expiration: new(-time.Second)}, nil, "invalid_field", "expiration_timeout_seconds"},
		"a negative retention": {given(), settings.Change{Retention: new(-time.Second)}, nil, "invalid_field", "retention_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := settings.Decide(c.given, settingstest.ByOperator(c.command))
			if c.code == "" {
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("got %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			if r, ok := errors.AsType[*events.Refusal](err); !ok || r.Code != c.code || r.Field != c.field || r.Detail == "" {
				t.Errorf("got %v, %+v, want the refusal %s of %s", got, err, c.code, c.field)
			}
		})
	}
}

// TestEditHoldersGiveAndTakeWhatTheyHold: boss holds everything, editor holds
// view and edit, and viewer holds view.
func TestEditHoldersGiveAndTakeWhatTheyHold(t *testing.T) {
	s := given(holds("boss", settings.Actions()...), holds("editor", "view", "edit"), holds("viewer", "view"))
	for name, c := range map[string]struct {
		by      token.Maker
		command settings.Command
		code    string
	}{
		"what it holds":                 {token.Maker{Owner: "editor"}, settings.Grant{User: "ann", Actions: []string{"view", "edit"}}, ""},
		"what it lacks":                 {token.Maker{Owner: "editor"}, settings.Grant{User: "ann", Actions: []string{"view", "create"}}, "permission_denied"},
		"to itself":                     {token.Maker{Owner: "editor"}, settings.Grant{User: "editor", Actions: settings.Actions()}, "permission_denied"},
		"taking what it holds":          {token.Maker{Owner: "editor"}, settings.Grant{User: "boss", Actions: []string{"create", "delete"}}, ""},
		"taking what it lacks":          {token.Maker{Owner: "editor"}, settings.Grant{User: "boss", Actions: []string{"view", "edit"}}, "permission_denied"},
		"as it is":                      {token.Maker{Owner: "editor"}, settings.Grant{User: "boss", Actions: settings.Actions()}, ""},
		"giving up edit":                {token.Maker{Owner: "editor"}, settings.Grant{User: "editor", Actions: []string{"view"}}, ""},
		"without edit":                  {token.Maker{Owner: "viewer"}, settings.Grant{User: "ann", Actions: []string{"view"}}, "permission_denied"},
		"without edit, as it is":        {token.Maker{Owner: "viewer"}, settings.Grant{User: "viewer", Actions: []string{"view"}}, "permission_denied"},
		"a stranger":                    {token.Maker{}, settings.Change{TokenLimit: new(50)}, "permission_denied"},
		"settings without edit":         {token.Maker{Owner: "viewer"}, settings.Change{TokenLimit: new(50)}, "permission_denied"},
		"settings with edit":            {token.Maker{Owner: "editor"}, settings.Change{TokenLimit: new(50)}, ""},
		"an operator":                   {token.Maker{Operator: true}, settings.Grant{User: "ann", Actions: settings.Actions()}, ""},
		"an outgoing secret":            {token.Maker{Owner: "boss", Outgoing: true}, settings.Change{TokenLimit: new(50)}, "permission_denied_by_credential"},
		"an outgoing secret, a grant":   {token.Maker{Owner: "boss", Outgoing: true}, settings.Grant{User: "ann"}, "permission_denied_by_credential"},
		"bad fields before permissions": {token.Maker{}, settings.Change{TokenLimit: new(51)}, "invalid_field"},
	} {
		switch command := c.command.(type) {
		case settings.Grant:
			command.By = c.by
			c.command = command
		case settings.Change:
			command.By = c.by
			c.command = command
		}
		_, err := settings.Decide(s, c.command)
		r, _ := errors.AsType[*events.Refusal](err)
		if c.code == "" && err != nil || c.code != "" && (r == nil || r.Code != c.code) {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
}

func TestAGrantOfNothingIsPublishedAsAnEmptyList(t *testing.T) {
	facts, err := settings.Decide(given(holds("bob", "view")), settingstest.ByOperator(settings.Grant{User: "bob"}))
	if err != nil {
		t.Fatal(err)
	}
	if f := facts[0].(events.PermissionsChanged); f.Actions == nil {
		t.Error("the actions would be null, which the schema forbids")
	}
}

func TestFoldDoesNotChangeItsInput(t *testing.T) {
	before := given(holds("ann", "view", "edit"))
	after := settings.Fold(before, holds("bob", "view"), noon)
	gone := settings.Fold(after, holds("ann"), noon)
	if before.Holds("bob", "view") || !after.Holds("bob", "view") || !after.Holds("ann", "edit") || gone.Holds("ann", "edit") {
		t.Errorf("got %v, %v and %v", before.Holders, after.Holders, gone.Holders)
	}
	if _, there := gone.Holders["ann"]; there {
		t.Error("a user without permissions is among the holders")
	}
	actions := before.Actions("ann")
	actions[0] = "changed"
	if got := before.Actions("ann"); !slices.Equal(got, []string{"view", "edit"}) {
		t.Errorf("a change of the returned actions changed the state: %v", got)
	}
	if got := before.Actions("eve"); len(got) != 0 || before.Holds("eve", "view") {
		t.Errorf("a stranger holds %v", got)
	}
}

func TestHoldsAllOfComparesActions(t *testing.T) {
	all := settings.Actions()
	s := given(holds("admin", all...), holds("maker", "view", "create"), holds("viewer", "view"), holds("editor", "edit"), holds("root", all...))
	for _, c := range []struct {
		holder, owner string
		want          bool
	}{
		{"admin", "root", true},
		{"admin", "maker", true},
		{"maker", "viewer", true},
		{"maker", "maker", true},
		{"maker", "stranger", true},
		{"stranger", "stranger", true},
		{"stranger", "other", true},
		{"maker", "admin", false},
		{"maker", "editor", false},
		{"viewer", "maker", false},
		{"stranger", "viewer", false},
	} {
		if got := s.MayAllOf(settings.Caller{Owner: c.holder}, c.owner); got != c.want {
			t.Errorf("%s holds all of %s: got %v, want %v", c.holder, c.owner, got, c.want)
		}
	}
}

func TestFactsOfOtherStreamsPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"created": func() { settings.Fold(settings.State{}, events.TokenCreated{}, noon) },
		"revoked": func() { settings.Fold(settings.State{}, events.TokenRevoked{}, noon) },
		"expired": func() { settings.Fold(settings.State{}, events.TokenExpired{}, noon) },
		"nothing": func() { settings.Fold(settings.State{}, nil, noon) },
		"command": func() { _, _ = settings.Decide(settings.State{}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			call()
		}()
	}
}

// TestMaxHoldersBindsUsers but not an operator: see "an operator adds one holder".
func TestMaxHoldersBindsUsers(t *testing.T) {
	s := settings.Initial()
	s.Holders = map[string][]string{"boss": settings.Actions()}
	for i := range settings.MaxHolders - 1 {
		s.Holders[fmt.Sprintf("holder%03d", i)] = settings.Actions()
	}
	_, err := settings.Decide(s, settings.Grant{By: token.Maker{Owner: "boss"}, User: "ann", Actions: []string{"view"}})
	if r, ok := errors.AsType[*events.Refusal](err); !ok || r.Code != "too_many_holders" || r.Field != "user" {
		t.Errorf("got %v, want the refusal too_many_holders of user", err)
	}
}

func TestTheLargestSettingsAreStored(t *testing.T) {
	s := settings.Initial()
	s.Holders = map[string][]string{}
	for i := range settings.MaxHolders {
		s.Holders[fmt.Sprintf("%0256d", i)] = settings.Actions()
	}
	s.Groups = map[string]map[string][]string{strings.Repeat("a", 16): {}}
	for i := range settings.MaxGroups {
		s.Groups[strings.Repeat("a", 16)][fmt.Sprintf("%0*d", settings.MaxGroup, i)] = settings.Actions()
	}
	b, err := settings.EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := settings.DecodeState(settings.StateV, b); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("the decoded settings differ, %v", err)
	}
	s.Holders[strings.Repeat("n", events.MaxState)] = settings.Actions()
	_, err = settings.EncodeState(s)
	if r, ok := errors.AsType[*events.Refusal](err); !ok || r.Code != "state_too_large" {
		t.Errorf("got %v, want the refusal state_too_large", err)
	}
}

// TestStatesOfEveryEncodingDecode has a stored state for each encoding.
func TestStatesOfEveryEncodingDecode(t *testing.T) {
	samples := map[int]string{
		1: `{"n":9,"l":0,"e":3600,"r":86400,"h":{"ann":["view","edit"]}}`,
		2: `{"n":9,"l":0,"e":3600,"r":86400,"c":0,"h":{"ann":["view","edit"]}}`,
		3: `{"n":9,"l":0,"e":3600,"r":86400,"c":0,"h":{"ann":["view","edit"]},"g":60,"w":[3]}`,
		4: `{"n":9,"l":0,"e":3600,"r":86400,"c":0,"h":{"ann":["view","edit"]},"g":60,"w":[3],"o":{"corp":{"/a":["view"]}}}`,
	}
	rates := map[int]int{1: 300} // version 1 has no rate, so it means the default
	for v := 1; v <= settings.StateV; v++ {
		want := settings.State{Version: 9, Expiration: time.Hour, Retention: day, ChangeRate: rates[v], Holders: map[string][]string{"ann": {"view", "edit"}}, RotationGrace: day, WarningDays: []int{30, 7, 1}}
		if v >= 3 {
			want.RotationGrace, want.WarningDays = time.Minute, []int{3}
		}
		if v >= 4 {
			want.Groups = map[string]map[string][]string{"corp": {"/a": {"view"}}}
		}
		if got, err := settings.DecodeState(v, []byte(samples[v])); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("encoding %d: got %+v, %v\nwant %+v", v, got, err, want)
		}
	}
	for _, bad := range []struct {
		v    int
		text string
	}{{settings.StateV + 1, samples[1]}, {0, samples[1]}, {-1, samples[1]}, {1, "{"}} {
		if _, err := settings.DecodeState(bad.v, []byte(bad.text)); err == nil {
			t.Errorf("encoding %d: %s passes", bad.v, bad.text)
		}
	}
}

// TestRulesHoldInEveryHistory keeps a stream as an issuer would. After every step
// it checks three rules: a user holds edit, if any user ever did; the settings
// are within their limits; the log and the head have the same state.
func TestRulesHoldInEveryHistory(t *testing.T) {
	k, err := events.ParseKeys("a:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var head events.Head
		var records []events.Record
		state := settings.Initial()
		do := func(c settings.Command) {
			facts, err := settings.Decide(state, settingstest.ByOperator(c))
			if err != nil || len(facts) == 0 {
				return
			}
			for _, f := range facts {
				state = settings.Fold(state, f, noon)
			}
			b, err := settings.EncodeState(state)
			if err != nil {
				t.Fatal(err)
			}
			made, err := events.NewCommit(k, events.SettingsStream, head, events.Meta{Command: "c", Actor: "ann", At: noon}, facts, settings.StateV, b, events.Effect{})
			if err != nil {
				t.Fatal(err)
			}
			records, head = append(records, made.Records()...), made.Head()
			for _, r := range made.Records() {
				drawn[r.Type]++
			}
		}
		edited := false
		t.Repeat(map[string]func(*rapid.T){
			"grant": func(t *rapid.T) {
				do(settings.Grant{User: rapid.SampledFrom([]string{"ann", "bob", "eve"}).Draw(t, "user"), Actions: rapid.SliceOfN(rapid.SampledFrom(settings.Actions()), 0, 4).Draw(t, "actions")})
			},
			"map a group": func(t *rapid.T) {
				do(settings.MapGroup{
					Alias: rapid.SampledFrom([]string{"corp", "lab", ""}).Draw(t, "alias"), Group: rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "group"),
					Actions: rapid.SliceOfN(rapid.SampledFrom(settings.Actions()), 0, 4).Draw(t, "actions"),
				})
			},
			"change": func(t *rapid.T) {
				do(settings.Change{
					TokenLimit: new(rapid.IntRange(-1, 51).Draw(t, "limit")), ChangeRate: new(rapid.IntRange(-1, 1_000_001).Draw(t, "rate")),
					Expiration:    new(time.Duration(rapid.IntRange(-1, 5).Draw(t, "half seconds")) * time.Second / 2),
					RotationGrace: new(time.Duration(rapid.IntRange(-1, 366).Draw(t, "grace")) * day), WarningDays: new(rapid.SliceOfN(rapid.IntRange(0, 366), 0, 11).Draw(t, "warnings")),
				})
			},
			"": func(t *rapid.T) {
				held := slices.ContainsFunc([]string{"ann", "bob", "eve"}, func(u string) bool { return state.Holds(u, settings.ActionEdit) })
				if edited = edited || held; edited && !held {
					t.Fatal("no user holds edit any more")
				}
				if state.TokenLimit < 0 || state.TokenLimit > settings.MaxTokenLimit || state.Expiration < 0 || state.Expiration%time.Second != 0 ||
					state.ChangeRate < 0 || state.ChangeRate > settings.MaxChangeRate {
					t.Fatalf("the settings are %+v", state)
				}
				checkLog(t, k, head, records, state)
			},
		})
	})
	for _, kind := range events.Kinds() {
		if slices.Contains(kind.Streams, events.SettingsStreams) && drawn[kind.Name] == 0 {
			t.Errorf("no random history has a %s: draw a command that leads to it", kind.Name)
		}
	}
}

// checkLog compares the state with the facts in the log and with the head.
func checkLog(t *rapid.T, k events.Keys, head events.Head, records []events.Record, state settings.State) {
	folded := settings.Initial()
	for _, r := range records {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		folded = settings.Fold(folded, f, r.At)
	}
	stored, err := settings.DecodeState(head.StateV, head.State)
	if err != nil || !equal(folded, state) || !equal(stored, state) {
		t.Fatalf("the log folds to\n%+v, the head has\n%+v, %v, and the state is\n%+v", folded, stored, err, state)
	}
	if err := errors.Join(events.Verify(events.Hash{}, records), head.Check(k, events.SettingsStream)); err != nil {
		t.Fatal(err)
	}
}

// equal compares states. A nil map of holders equals an empty one.
func equal(a, b settings.State) bool {
	if len(a.Holders) == 0 && len(b.Holders) == 0 {
		a.Holders, b.Holders = nil, nil
	}
	return reflect.DeepEqual(a, b)
}
