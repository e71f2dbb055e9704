package token

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/secret"
)

// kinds are the facts of an owner's stream, as the table of facts has them.
func kinds() []events.Kind {
	return slices.DeleteFunc(events.Kinds(), func(k events.Kind) bool { return !slices.Contains(k.Streams, events.UserStreams) })
}

// schemas are the schemas of the facts of an owner's stream, by type.
func schemas(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	out := map[string]*jsonschema.Schema{}
	for _, k := range kinds() {
		b, err := events.Schemas.ReadFile(fmt.Sprintf("schemas/%s.v%d.json", k.Name, k.Version))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		id := events.SchemaID(k.Name, k.Version)
		if err := c.AddResource(id, doc); err != nil {
			t.Fatal(err)
		}
		if out[k.Name], err = c.Compile(id); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// scene is one owner's stream as an issuer and a store would keep it, and a
// clock. Each command sees the results of the earlier commands.
type scene struct {
	schemas map[string]*jsonschema.Schema
	keys    events.Keys
	now     time.Time
	policy  Policy
	head    events.Head
	records []events.Record
	views   map[string]events.View // by token id, also of ended tokens
	revoked map[string]bool
	peak    int               // the highest limit below which a token was created
	changes map[time.Time]int // counted commands, by the start of their hour
	stolen  theft
	drawn   map[string]int // number of records of each type, of commands and of refusals, in all histories
}

func newScene(t *rapid.T, schemas map[string]*jsonschema.Schema) *scene {
	k, err := events.ParseKeys("a:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return &scene{schemas: schemas, keys: k, now: noon, policy: five, views: map[string]events.View{}, revoked: map[string]bool{}, changes: map[time.Time]int{}}
}

// at is the time of the next command: the clock, or the stream's time if that is
// later.
func (sc *scene) at() time.Time { return sc.head.Next(sc.now) }

func (sc *scene) state(t *rapid.T) State {
	s, err := DecodeState(sc.head.StateV, sc.head.State)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do reads, decides and commits. It returns the refusal, if there is one.
func (sc *scene) do(t *rapid.T, c Command) *events.Refusal {
	before := sc.state(t)
	facts, err := Decide(before, c)
	if err != nil {
		r := err.(*events.Refusal)
		sc.drawn[r.Code]++
		return r
	}
	sc.drawn[reflect.TypeOf(c).Name()]++
	at := sc.at()
	if len(facts) == 0 { // as issuer.Do
		return nil
	}
	past := unrecorded(before, at, maxExpired)
	if len(facts) == maxFacts { // the wanted change comes before expiries that have no room
		past = past[:min(len(past), expiriesIn(facts))]
	}
	if len(facts) < len(past) || !slices.EqualFunc(facts[:len(past)], past, func(a, b events.Fact) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("a command records past expiries first: %T leads to %v, but the expiries are %v", c, facts, past)
	}
	after := before
	for _, f := range facts {
		after = Fold(after, f, at)
	}
	b, err := EncodeState(after)
	if err != nil {
		t.Fatal(err)
	}
	effect := Effect(before, after, facts, at, sc.policy.Retention)
	m := events.Meta{Command: fmt.Sprint("c", len(sc.records)), Actor: "ann", At: sc.now, Retention: sc.policy.Retention}
	made, err := events.NewCommit(sc.keys, events.UserStream("ann"), sc.head, m, facts, StateV, b, effect)
	if err != nil {
		t.Fatal(err)
	}
	sc.write(t, made)
	return nil
}

func expiriesIn(facts []events.Fact) (n int) {
	for _, f := range facts {
		if _, expired := f.(events.TokenExpired); expired {
			n++
		}
	}
	return n
}

func (sc *scene) write(t *rapid.T, c events.Commit) {
	for _, v := range c.Effect().Minted {
		if _, taken := sc.views[v.ID]; taken {
			t.Fatalf("token %s was minted twice", v.ID)
		}
		sc.views[v.ID] = v
	}
	for _, v := range c.Effect().Changed {
		sc.checkChange(t, v)
		sc.views[v.ID] = v
	}
	for _, r := range c.Records() {
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Public))
		if err != nil {
			t.Fatal(err)
		}
		if err := sc.schemas[r.Type].Validate(data); err != nil {
			t.Fatalf("%s does not match its schema: %v", r.Public, err)
		}
		sc.drawn[r.Type]++
	}
	sc.records = append(sc.records, c.Records()...)
	sc.head = c.Head()
}

// checkChange checks the rules for a changed view.
func (sc *scene) checkChange(t *rapid.T, v events.View) {
	old, known := sc.views[v.ID]
	rule := ""
	switch {
	case !known:
		rule = "only the view of a known token changes"
	case old.Ended != "":
		rule = "the view of an ended token never changes"
	case v.Seq <= old.Seq:
		rule = "a changed view has the number of its new record as Seq"
	case v.Owner != old.Owner || v.Creator != old.Creator || !v.CreatedAt.Equal(old.CreatedAt) || v.First != old.First:
		rule = "owner, creator, creation and first record never change"
	case v.Rotated == old.Rotated && (!reflect.DeepEqual(v.Verifier, old.Verifier) || !reflect.DeepEqual(v.Outgoing, old.Outgoing) || v.OutgoingUntil.After(old.OutgoingUntil)):
		rule = "only a rotation changes a secret, and nothing prolongs an outgoing one"
	case v.Rotated != old.Rotated && !reflect.DeepEqual(v.Outgoing, old.Verifier):
		rule = "a rotation makes the secret before the outgoing one"
	case !v.ExpiresAt.IsZero() && v.OutgoingUntil.After(v.ExpiresAt):
		rule = "an outgoing secret never outlives its token"
	case v.Ended == "" && sc.policy.Expiration > 0 && !v.ExpiresAt.Equal(old.ExpiresAt) && outlives(v.ExpiresAt, v.CreatedAt.Add(sc.policy.Expiration)):
		rule = "no verb prolongs a life beyond the maximum"
	default:
		return
	}
	t.Fatalf("rule: %s; the view\n%+v\nwas changed to\n%+v", rule, old, v)
}

// maker draws the maker of a token of ann: ann with a token that expires or does
// not, with permissions or without, an administrator, or an operator.
func (sc *scene) maker(t *rapid.T) Maker {
	m := Maker{Owner: rapid.SampledFrom([]string{"ann", "ann", "ann", "ann", "admin", "bob", Operator}).Draw(t, "maker")}
	m.Operator = m.Owner == Operator
	m.MayCreate = m.Owner == "admin" || rapid.Bool().Draw(t, "create")
	m.MayEdit = m.Owner == "admin"
	m.TokenID = rapid.SampledFrom(append(sc.ids(), "")).Draw(t, "acting token")
	m.Outgoing = rapid.IntRange(0, 9).Draw(t, "outgoing") == 0
	if rapid.IntRange(0, 3).Draw(t, "expiring") == 0 {
		m.ExpiresAt = sc.at().Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes left")) * time.Minute)
	}
	return m
}

// mint draws a new id. Random values of another source would keep rapid from
// repeating a failure with a shorter history.
func (sc *scene) mint(t *rapid.T) secret.Token {
	id := rapid.StringMatching("[0-9A-Za-z]{4}").Draw(t, "id") + fmt.Sprintf("%04d", len(sc.views))
	return secret.Token{ID: id, Secret: secret.New("the same secret for every token")}
}

// create draws a command that mostly only the limit, the rate and the maker's
// expiry can refuse.
func (sc *scene) create(t *rapid.T) {
	minted := sc.mint(t)
	verifier, err := secret.NewVerifier(sc.keys, minted, "ann")
	if err != nil {
		t.Fatal(err)
	}
	c := Create{
		At: sc.at(), Policy: sc.policy, By: sc.maker(t), ID: minted.ID, Owner: "ann", Verifier: verifier,
		Wish: Wish{
			Name:        rapid.StringN(0, 40, -1).Draw(t, "name"),
			Description: rapid.SampledFrom([]string{"", "<&> \u2028 \"é\""}).Draw(t, "description"),
			ExpiresIn:   time.Duration(rapid.IntRange(0, 20).Draw(t, "hours")) * time.Hour,
			Scopes:      someScopes.Draw(t, "scopes"),
			SourceIPs:   rapid.SampledFrom([][]netip.Prefix{nil, prefixes("192.0.2.0/24")}).Draw(t, "ranges"),
		},
	}
	c.Recovery = c.By.Operator && rapid.Bool().Draw(t, "recovery")
	s := sc.state(t)
	live, limit := s.Live(c.At), s.Limit(sc.policy)
	if c.Recovery {
		limit = MaxTokenLimit + 1
	}
	r := sc.do(t, c)
	switch {
	case r == nil && live >= limit:
		t.Fatalf("%d tokens were live and %d are allowed, but a token was created", live, limit)
	case r != nil && r.Code == CodeLimitReached && live < limit:
		t.Fatalf("%d tokens were live and %d are allowed, but the limit refused a token", live, limit)
	}
	if r == nil {
		sc.peak = max(sc.peak, limit)
	}
	sc.checkMaker(t, s, c.By, r)
	sc.checkRate(t, c, c.By, 1, r)
	sc.checkDelegation(t, c, r)
}

// checkMaker: an outgoing secret gives no command, and none makes or changes a
// token of a suspended owner.
func (sc *scene) checkMaker(t *rapid.T, before State, by Maker, r *events.Refusal) {
	if r == nil && (by.Outgoing || before.Suspended) {
		t.Fatalf("the owner was suspended: %v, but the maker %+v was accepted", before.Suspended, by)
	}
}

// checkRate counts the changes of each hour by itself. No command but an
// operator's may pass above the rate, and the rate may refuse no other command.
// facts is the number of counted facts of the command.
func (sc *scene) checkRate(t *rapid.T, c Command, by Maker, facts int, r *events.Refusal) {
	hour, rate := sc.at().Truncate(time.Hour), sc.policy.ChangeRate
	full := !by.Operator && rate > 0 && sc.changes[hour] >= rate
	_, creates := c.(Create)
	counted := facts > 0 && (!by.Operator || !creates)
	switch {
	case r == nil && full && facts > 0:
		t.Fatalf("%d changes were counted in the hour and %d are allowed, but %T passed", sc.changes[hour], rate, c)
	case r != nil && r.Code == CodeRateExceeded && (!full || !r.RetryAt.Equal(hour.Add(time.Hour))):
		t.Fatalf("%d changes were counted in the hour and %d are allowed, operator %v, but the rate refused until %v", sc.changes[hour], rate, by.Operator, r.RetryAt)
	case r == nil && counted:
		sc.changes[hour] += facts
	}
}

// checkDelegation: a token that expires makes none for its own owner that outlives
// it, and its expiry refuses no token of another owner.
func (sc *scene) checkDelegation(t *rapid.T, c Create, r *events.Refusal) {
	bound := c.By.Owner == c.Owner && !c.By.Operator && !c.By.ExpiresAt.IsZero()
	made := sc.views[c.ID].ExpiresAt
	switch {
	case r == nil && bound && (made.IsZero() || made.After(c.By.ExpiresAt)):
		t.Fatalf("a token that expires at %v made one that expires at %v", c.By.ExpiresAt, made)
	case r != nil && r.Code == CodeExpiryOutlives && !bound:
		t.Fatalf("the maker %+v was refused: %v", c.By, r)
	}
}

// revoke draws the id of any earlier token, or an id that no token ever had.
func (sc *scene) revoke(t *rapid.T) {
	id := sc.anyID(t)
	children := HasChildren(sc.state(t), id, sc.at())
	c := Revoke{At: sc.at(), Policy: sc.policy, By: Maker{Owner: "ann"}, ID: id, Owner: "ann", WithChildren: rapid.Bool().Draw(t, "with children")}
	want := sc.isLive(id) || c.WithChildren && children
	r := sc.do(t, c)
	if want != (r == nil) || (r != nil && r.Code != CodeNotFound) {
		t.Fatalf("revoking token %s, live or with children %v: got %v", id, want, r)
	}
	if r == nil && c.WithChildren && HasChildren(sc.state(t), id, sc.at()) && len(sc.views) < 50 {
		t.Fatalf("token %s still has children", id)
	}
}

func (sc *scene) ids() (ids []string) { return slices.Sorted(maps.Keys(sc.views)) }

// anyID draws the id of any earlier token, or an id that no token ever had.
func (sc *scene) anyID(t *rapid.T) string {
	ids := append(sc.ids(), "NeverWas")
	for id, v := range sc.views { // tokens without a recorded end are drawn more often
		if v.Ended == "" {
			ids = append(ids, id, id, id)
		}
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(t, "id")
}

func (sc *scene) isLive(id string) bool { return sc.views[id].ID != "" && sc.views[id].LiveAt(sc.at()) }

// repeated draws a number of commands, because a history has about 30 actions.
func repeated(command func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(t, "commands") {
			command(t)
		}
	}
}

// TestRulesHoldInEveryHistory draws random commands and checks the rules after
// each. Every kind of fact of an owner's stream must occur in some history.
func TestRulesHoldInEveryHistory(t *testing.T) {
	all := schemas(t)
	drawn := map[string]int{}
	want := append(declaredCommands(t), CodeLimitReached, CodeRateExceeded, CodeExpiryOutlives, CodeDeniedByCredential, CodeUserSuspended,
		CodeEnded, CodeVersionConflict, CodeGraceTooShort, CodeRotatedRecently, CodePermissionDenied)
	for _, k := range kinds() {
		want = append(want, k.Name)
	}
	checkUntilDrawn(t, func() []string { return undrawn(drawn, want...) }, func(t *rapid.T) {
		sc := newScene(t, all)
		sc.drawn = drawn
		t.Repeat(map[string]func(*rapid.T){
			"create":      sc.create,
			"create more": sc.create,
			"revoke":      sc.revoke,
			"show":        sc.revokeShown,
			"update":      repeated(sc.update),
			"rotate":      repeated(sc.rotate),
			"suspend":     sc.suspend,
			"reinstate":   sc.reinstate,
			"limit":       sc.setLimit,
			"expire":      sc.expire,
			"switch":      sc.switchTwice,
			"twice":       sc.rotateTwice,
			"steal":       sc.steal,
			"attack":      repeated(sc.attack),
			"offboard":    sc.offboard,
			"wait, then update": func(t *rapid.T) {
				sc.now = sc.now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "hours")) * time.Hour)
				sc.update(t)
			},
			"wait": func(t *rapid.T) {
				sc.now = sc.now.Add(time.Duration(rapid.IntRange(-1, 12).Draw(t, "hours")) * time.Hour)
			},
			"wait a little": func(t *rapid.T) {
				sc.now = sc.now.Add(time.Duration(rapid.IntRange(-10, 40).Draw(t, "minutes")) * time.Minute)
			},
			"change the policy": func(t *rapid.T) {
				sc.policy.TokenLimit = rapid.IntRange(0, 50).Draw(t, "limit")
				sc.policy.Expiration = time.Duration(rapid.IntRange(0, 10).Draw(t, "expiration")) * time.Hour
				sc.policy.ChangeRate = rapid.IntRange(0, 6).Draw(t, "rate")
			},
			"": func(t *rapid.T) {
				sc.checkRules(t)
			},
		})
	})
}

// checkUntilDrawn checks random histories, as many times as are needed until nothing
// is missing from them: what a few histories have is a matter of chance.
func checkUntilDrawn(t *testing.T, missing func() []string, history func(*rapid.T)) {
	t.Helper()
	const most = 30
	for range most {
		rapid.Check(t, history)
		if t.Failed() || len(missing()) == 0 {
			return
		}
	}
	t.Errorf("no random history has %s: draw a command that leads to it", strings.Join(missing(), ", "))
}

// undrawn returns the names that were not drawn.
func undrawn(drawn map[string]int, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return drawn[name] > 0 })
}

// declaredCommands are the types of command.go with a method command.
func declaredCommands(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "command.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "command" {
			names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	return names
}

// checkRules checks the rules that hold after every step.
func (sc *scene) checkRules(t *rapid.T) {
	s := sc.state(t)
	if live := s.Live(sc.at()); live > sc.peak {
		t.Fatalf("%d tokens are live, but none was created above the limit %d", live, sc.peak)
	}
	if s.Version != sc.head.Version || len(s.Tokens) > MaxTokenLimit+1 {
		t.Fatalf("the state has version %d and %d tokens, the head has version %d", s.Version, len(s.Tokens), sc.head.Version)
	}
	if n := s.ChangesAt(sc.at()); n != sc.changes[sc.at().Truncate(time.Hour)] {
		t.Fatalf("the state has %d changes in this hour, but %d commands were counted", n, sc.changes[sc.at().Truncate(time.Hour)])
	}
	if folded := sc.fold(t); !reflect.DeepEqual(folded, s) {
		t.Fatalf("the log folds to\n%+v\nbut the head has\n%+v", folded, s)
	}
	if err := events.Verify(events.Hash{}, sc.records); err != nil {
		t.Fatal(err)
	}
	if err := sc.head.Check(sc.keys, events.UserStream("ann")); err != nil {
		t.Fatal(err)
	}
	sc.checkViews(t, s)
	sc.checkTheft(t)
}

// fold returns the state after all stored records.
func (sc *scene) fold(t *rapid.T) (s State) {
	for _, r := range sc.records {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		s = Fold(s, f, r.At)
	}
	return s
}

// checkViews compares the views, which authorize reads, with the state, which the
// rules read.
func (sc *scene) checkViews(t *rapid.T, s State) {
	unended := 0
	for id, v := range sc.views {
		if err := v.Check(sc.keys); err != nil {
			t.Fatal(err)
		}
		v.Seal = events.Verifier{} // a state has no seals of views
		if known, ok := s.Find(id); ok {
			unended++
			if !reflect.DeepEqual(known, v) {
				t.Fatalf("rule: the view of a token is the same in the state and in the store; the state has\n%+v\nbut the view is\n%+v", known, v)
			}
		} else if v.Ended == "" || v.LiveAt(sc.now) {
			t.Fatalf("token %s is no longer in the state, but its view is %+v", id, v)
		}
		if sc.revoked[id] && v.Ended != events.EndedRevoked {
			t.Fatalf("token %s was revoked, but its view is %+v", id, v)
		}
		sc.revoked[id] = v.Ended == events.EndedRevoked
		if v.Ended == "" && v.LiveAt(sc.at()) && v.Suspended != s.Suspended {
			t.Fatalf("the owner is suspended: %v, but the view of token %s says %v", s.Suspended, id, v.Suspended)
		}
		if sc.records[v.First-1].Subject() != id || !strings.Contains(string(sc.records[v.Seq-1].Public), id) {
			t.Fatalf("the view of token %s has the sequence of another token's record", id)
		}
	}
	if unended != len(s.Tokens) {
		t.Fatalf("the state has %d tokens, but %d of them have views", len(s.Tokens), unended)
	}
}

// TestTheSameStateAndCommandGiveTheSameFacts: Decide has no other input, and does
// not change its input.
func TestTheSameStateAndCommandGiveTheSameFacts(t *testing.T) {
	s := given(noon.Add(-day), append(several(3, "e", noon), several(3, "l", time.Time{})...)...)
	kept, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	c := ann(func(c *Create) { c.Scopes = []string{"GET /"} })
	one, errOne := Decide(s, c)
	two, errTwo := Decide(s, c)
	if errOne != nil || errTwo != nil || !reflect.DeepEqual(one, two) {
		t.Errorf("got %v, %v and then %v, %v", one, errOne, two, errTwo)
	}
	c.Scopes[0], c.Verifier.MAC[0] = "POST /", '!'
	if !reflect.DeepEqual(one, two) || one[3].(events.TokenCreated).Scopes[0] != "GET /" || one[3].(events.TokenCreated).Verifier.MAC[0] == '!' {
		t.Error("the facts share memory with the command")
	}
	if b, err := EncodeState(s); err != nil || string(b) != string(kept) {
		t.Error("Decide changed the state")
	}
}
