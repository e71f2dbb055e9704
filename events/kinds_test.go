package events_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// every has one fact of each kind, with all its members.
var every = append(slices.Clone(anns),
	events.SessionOpened{
		TokenID: "S7k8ljIC", Owner: "ann", Via: events.ViaOIDC, Issuer: "https://id.example.com", SubjectDigest: strings.Repeat("5d", 32), Name: "Ann Ö.",
		ExpiresAt: instant.Of(noon.Add(12 * time.Hour)), MakesUntil: instant.Of(noon.Add(24 * time.Hour)), Permissions: []string{"view", "edit"},
		Scopes: []string{"GET /v1/things/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, OpenedWith: "L7k8ljIC", OpenedAfter: 3, UI: true,
		Verifier: events.Verifier{Kid: "a", MAC: []byte("a session's verifier of 32 bytes")},
	},
	events.SessionClosed{TokenID: "S7k8ljIC", Owner: "ann", Cause: events.CauseExpired, ExpiresAt: instant.Of(noon.Add(12 * time.Hour))},
	events.SettingsChanged{TokenLimit: new(50), Expiration: new(int64(15552000)), Retention: new(int64(0)), ChangeRate: new(300), RotationGrace: new(int64(86400)), WarningDays: &[]int{30, 7, 1}},
	events.PermissionsChanged{User: "ann", Actions: []string{"view", "create", "edit", "delete"}},
	events.GroupChanged{Alias: "corp", Group: "/team/admins", Actions: []string{"view", "create", "edit", "delete"}},
)

// streams has one stream of each kind.
var streams = []events.Stream{events.UserStream("ann"), events.SessionStream("ann"), events.SettingsStream}

// folds are the rules packages by name. Each folds the facts of its streams,
// and panics on other facts. A fact that changes nothing is an error.
var folds = map[string]func(t *testing.T, f events.Fact){
	"events/token": func(t *testing.T, f events.Fact) {
		var before token.State
		if _, first := f.(events.TokenCreated); !first {
			before = token.Fold(before, events.TokenCreated{TokenID: cmp.Or(recordOf(t, f).Subject(), "L7k8ljIC"), Owner: "ann"}, noon)
		}
		if _, reinstated := f.(events.UserReinstated); reinstated {
			before = token.Fold(before, events.UserSuspended{Owner: "ann", TokenIDs: []string{"L7k8ljIC"}}, noon)
		}
		after := token.Fold(before, f, noon)
		effect := token.Effect(before, after, []events.Fact{f}, noon, 0)
		_, limit := f.(events.OwnerLimitChanged) // it is about no token
		if len(effect.Minted)+len(effect.Changed) == 0 && !limit {
			t.Errorf("events/token: the fact %T changes no view (Effect)", f)
		}
		after.Version = before.Version
		if reflect.DeepEqual(before, after) {
			t.Errorf("events/token: the fact %T changes no state (Fold)", f)
		}
	},
	"events/session": func(t *testing.T, f events.Fact) {
		var before session.State
		if _, closed := f.(events.SessionClosed); closed {
			before = session.Fold(before, every[len(anns)], noon)
		}
		if _, reinstated := f.(events.UserReinstated); reinstated {
			before = session.Fold(before, events.UserSuspended{Owner: "ann"}, noon)
		}
		after := session.Fold(before, f, noon)
		effect := session.Effect(before, after, []events.Fact{f}, noon, 0)
		_, suspended := f.(events.UserSuspended) // the ends of the sessions are facts of their own
		_, reinstated := f.(events.UserReinstated)
		if len(effect.Minted)+len(effect.Changed) == 0 && !suspended && !reinstated {
			t.Errorf("events/session: the fact %T changes no view (Effect)", f)
		}
		after.Version = before.Version
		if reflect.DeepEqual(before, after) {
			t.Errorf("events/session: the fact %T changes no state (Fold)", f)
		}
	},
	"events/settings": func(t *testing.T, f events.Fact) {
		after := settings.Fold(settings.Initial(), f, noon)
		after.Version = settings.Initial().Version
		if reflect.DeepEqual(settings.Initial(), after) {
			t.Errorf("events/settings: the fact %T changes no state (Fold)", f)
		}
	},
}

// kindOf is the row of a fact in the table.
func kindOf(t testing.TB, f events.Fact) events.Kind {
	t.Helper()
	name := reflect.TypeOf(f).Name()
	for _, k := range events.Kinds() {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("the table of facts (kinds.go) has no row for %s", name)
	return events.Kind{}
}

// streamFor is a stream that facts of this kind belong to.
func streamFor(t testing.TB, k events.Kind) events.Stream {
	t.Helper()
	for _, s := range streams {
		if slices.Contains(k.Streams, s.Kind()) {
			return s
		}
	}
	t.Fatalf("%s belongs to streams of kind %q; the tests know none of them", k.Name, k.Streams)
	return ""
}

// fileOf is the name of the schema and of the sample of one version.
func fileOf(kind string, version int) string { return fmt.Sprintf("%s.v%d.json", kind, version) }

// versionFiles are the names of all schemas and samples that the table asks for.
func versionFiles() (names []string) {
	for _, k := range events.Kinds() {
		for v := 1; v <= k.Version; v++ {
			names = append(names, fileOf(k.Name, v))
		}
	}
	return names
}

// TestEveryFactIsInTheTableAndTested reads the facts from the source, so that
// neither the table nor the tests can lack one.
func TestEveryFactIsInTheTableAndTested(t *testing.T) {
	declared := declaredFacts(t)
	var rows, tested []string
	for _, k := range events.Kinds() {
		rows = append(rows, k.Name)
	}
	for _, f := range every {
		tested = append(tested, reflect.TypeOf(f).Name())
	}
	for _, name := range declared {
		if !slices.Contains(rows, name) {
			t.Errorf("the table of facts (kinds.go) has no row for %s", name)
		}
		if !slices.Contains(tested, name) {
			t.Errorf("the list every (kinds_test.go) has no %s with all its members", name)
		}
	}
	for _, k := range events.Kinds() {
		if slices.Contains(k.Streams, events.UserStreams) && !slices.ContainsFunc(anns, func(f events.Fact) bool { return kindOf(t, f).Name == k.Name }) {
			t.Errorf("the list anns (scene_test.go) has no %s, a fact of a user's stream", k.Name)
		}
	}
	if len(rows) != len(declared) || len(tested) != len(declared) {
		t.Errorf("fact.go has %v, the table has %v, the tests have %v; want each once", declared, rows, tested)
	}
}

// declaredFacts are the types of fact.go with a method kind.
func declaredFacts(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "fact.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "kind" {
			names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	return names
}

func TestEveryMemberOfTheTestedFactsIsSet(t *testing.T) {
	for _, f := range every {
		v := reflect.ValueOf(f)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the list every (kinds_test.go) has a %T without %s", f, v.Type().Field(i).Name)
			}
		}
	}
}

// TestEveryVersionHasASchemaAndASample compares both folders with the table.
func TestEveryVersionHasASchemaAndASample(t *testing.T) {
	if *update {
		writeMissingSamples(t)
	}
	want := append(versionFiles(), noticeFiles()...)
	for _, folder := range []string{"schemas", "samples"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
			if !slices.Contains(want, e.Name()) {
				t.Errorf("%s/%s belongs to no version of a fact in the table", folder, e.Name())
			}
		}
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s/%s is missing (for a sample: go test ./events -update)", folder, name)
			}
		}
	}
}

// TestExactlyOneRulesPackageFoldsEachKindInAStream: a fact that no rule folds would pass
// the compiler and panic in use.
func TestExactlyOneRulesPackageFoldsEachKindInAStream(t *testing.T) {
	for _, f := range every {
		var by []string
		for name, fold := range folds {
			if panicked := catch(func() { fold(t, f) }); panicked == nil {
				by = append(by, name)
			} else {
				t.Logf("%s does not fold %T: %v", name, f, panicked)
			}
		}
		if want := len(kindOf(t, f).Streams); len(by) != want {
			t.Errorf("%T is folded by %v, want one rules package for each of the %d kinds of streams that it belongs to", f, by, want)
		}
	}
}

func catch(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}
