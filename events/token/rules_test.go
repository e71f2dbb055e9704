package token

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
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

// world is one owner's stream as an issuer and a store would keep it, and the
// clock, so that every command meets what earlier ones left.
type world struct {
	schemas map[string]*jsonschema.Schema
	keys    events.Keys
	now     time.Time
	policy  Policy
	head    events.Head
	records []events.Record
	views   map[string]events.View // by token id, ended ones too
	revoked map[string]bool
	drawn   map[string]int // how many records of each type all histories have
}

func newWorld(t *rapid.T, schemas map[string]*jsonschema.Schema) *world {
	k, err := events.ParseKeys("a:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return &world{schemas: schemas, keys: k, now: noon, policy: five, views: map[string]events.View{}, revoked: map[string]bool{}}
}

func (w *world) state(t *rapid.T) State {
	s, err := DecodeState(w.head.StateV, w.head.State)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do reads, decides and commits. It gives the refusal if there is one.
func (w *world) do(t *rapid.T, c Command) *events.Refusal {
	before := w.state(t)
	facts, err := Decide(before, c)
	if err != nil {
		return err.(*events.Refusal)
	}
	at := w.head.Next(w.now)
	after := before
	for _, f := range facts {
		after = Fold(after, f, at)
	}
	b, err := EncodeState(after)
	if err != nil {
		t.Fatal(err)
	}
	effect := Effect(before, after, facts, at, w.policy.Retention)
	m := events.Meta{Command: fmt.Sprint("c", len(w.records)), Actor: "ann", At: w.now, Retention: w.policy.Retention}
	made, err := events.NewCommit(w.keys, events.UserStream("ann"), w.head, m, facts, StateV, b, effect)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, made)
	return nil
}

func (w *world) write(t *rapid.T, c events.Commit) {
	for _, v := range c.Effect().Minted {
		if _, taken := w.views[v.ID]; taken {
			t.Fatalf("token %s was minted twice", v.ID)
		}
		w.views[v.ID] = v
	}
	for _, v := range c.Effect().Changed {
		if old, ok := w.views[v.ID]; !ok || old.Ended != "" || v.Seq <= old.Seq || v.Ended == "" {
			t.Fatalf("the view %+v became %+v", old, v)
		}
		w.views[v.ID] = v
	}
	for _, r := range c.Records() {
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Public))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.schemas[r.Type].Validate(data); err != nil {
			t.Fatalf("%s does not keep its schema: %v", r.Public, err)
		}
		w.drawn[r.Type]++
	}
	w.records = append(w.records, c.Records()...)
	w.head = c.Head()
}

// create draws a command that is lawful but for the limit, mostly.
func (w *world) create(t *rapid.T) {
	minted := secret.Mint("")
	verifier, err := secret.NewVerifier(w.keys, minted, "ann")
	if err != nil {
		t.Fatal(err)
	}
	c := Create{
		At: w.now, Policy: w.policy, By: Maker{Owner: "ann"}, ID: minted.ID, Owner: "ann", Verifier: verifier,
		Name:        rapid.StringN(0, 40, -1).Draw(t, "name"),
		Description: rapid.SampledFrom([]string{"", "<&> \u2028 \"é\""}).Draw(t, "description"),
		ExpiresIn:   time.Duration(rapid.IntRange(0, 20).Draw(t, "hours")) * time.Hour,
		Scopes:      someScopes.Draw(t, "scopes"),
		SourceIPs:   rapid.SampledFrom([][]netip.Prefix{nil, prefixes("192.0.2.0/24")}).Draw(t, "ranges"),
	}
	live := w.state(t).Live(w.now)
	switch r := w.do(t, c); {
	case r == nil && live >= w.policy.TokenLimit:
		t.Fatalf("%d live tokens, %d allowed, and one more was made", live, w.policy.TokenLimit)
	case r != nil && r.Code == CodeLimitReached && live < w.policy.TokenLimit:
		t.Fatalf("%d live tokens, %d allowed, and no more can be made", live, w.policy.TokenLimit)
	}
}

// revoke ends any token that ever was, or one that never was.
func (w *world) revoke(t *rapid.T) {
	ids := []string{"NeverWas"}
	for id := range w.views {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "id")
	live := w.views[id].ID != "" && w.views[id].LiveAt(w.now)
	r := w.do(t, Revoke{At: w.now, Policy: w.policy, By: Maker{Owner: "ann"}, ID: id, Owner: "ann"})
	if live != (r == nil) || (r != nil && r.Code != CodeNotFound) {
		t.Fatalf("revoking token %s, live %v: got %v", id, live, r)
	}
	if r == nil {
		w.revoked[id] = true
	}
}

// TestRulesHoldInEveryHistory draws random commands and checks the rules after
// each. Every kind of fact of an owner's stream must occur in some history.
func TestRulesHoldInEveryHistory(t *testing.T) {
	all := schemas(t)
	drawn := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, all)
		w.drawn = drawn
		peak := 0 // the most tokens that were ever allowed
		t.Repeat(map[string]func(*rapid.T){
			"create":      w.create,
			"create more": w.create,
			"revoke":      w.revoke,
			"wait": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(-1, 12).Draw(t, "hours")) * time.Hour)
			},
			"change the policy": func(t *rapid.T) {
				w.policy.TokenLimit = rapid.IntRange(0, 50).Draw(t, "limit")
				w.policy.Expiration = time.Duration(rapid.IntRange(0, 10).Draw(t, "expiration")) * time.Hour
			},
			"": func(t *rapid.T) {
				peak = max(peak, w.policy.TokenLimit)
				w.holds(t, peak)
			},
		})
	})
	for _, k := range kinds() {
		if drawn[k.Name] == 0 {
			t.Errorf("no random history has a %s: draw a command that leads to it", k.Name)
		}
	}
}

// holds checks what is true after every step.
func (w *world) holds(t *rapid.T, peak int) {
	s := w.state(t)
	if live := s.Live(w.now); live > peak {
		t.Fatalf("%d tokens are live, %d were allowed at most", live, peak)
	}
	if s.Version != w.head.Version || len(s.Tokens) > 50 {
		t.Fatalf("the state has version %d and %d tokens, the head has version %d", s.Version, len(s.Tokens), w.head.Version)
	}
	if folded := w.fold(t); !reflect.DeepEqual(folded, s) {
		t.Fatalf("the log folds to\n%+v\nand the head has\n%+v", folded, s)
	}
	if err := events.Verify(events.Hash{}, w.records); err != nil {
		t.Fatal(err)
	}
	if err := w.head.Check(w.keys, events.UserStream("ann")); err != nil {
		t.Fatal(err)
	}
	w.viewsAgree(t, s)
}

// fold reads the stored records from the first one on.
func (w *world) fold(t *rapid.T) (s State) {
	for _, r := range w.records {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		s = Fold(s, f, r.At)
	}
	return s
}

// viewsAgree: what authorize reads says what the rules know.
func (w *world) viewsAgree(t *rapid.T, s State) {
	unended := 0
	for id, v := range w.views {
		if known, ok := s.Find(id); ok {
			unended++
			if !reflect.DeepEqual(known, v) {
				t.Fatalf("the state has\n%+v\nand the view is\n%+v", known, v)
			}
		} else if v.Ended == "" || v.LiveAt(w.now) {
			t.Fatalf("token %s left the state, and its view is %+v", id, v)
		}
		if w.revoked[id] != (v.Ended == events.EndedRevoked) {
			t.Fatalf("token %s was revoked: %v, and its view is %+v", id, w.revoked[id], v)
		}
		if w.records[v.First-1].Subject() != id || w.records[v.Seq-1].Subject() != id {
			t.Fatalf("the view of token %s points at records of other tokens", id)
		}
	}
	if unended != len(s.Tokens) {
		t.Fatalf("the state has %d tokens, %d of them with views", len(s.Tokens), unended)
	}
}

// TestTheSameStateAndCommandGiveTheSameFacts: values in, values out.
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
		t.Error("deciding changed the state")
	}
}
