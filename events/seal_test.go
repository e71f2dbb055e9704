package events_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

func TestChangingAnyByteOfAHeadBreaksItsSeal(t *testing.T) {
	k := keys(t, pepperA)
	_, head := history(t, k)
	for where, changed := range changes(head) {
		if changed.Check(k, "user/ann") == nil {
			t.Errorf("a change at %s is not noticed", where)
		}
	}
}

func TestAHeadCannotBeForgedOrMoved(t *testing.T) {
	k := keys(t, pepperA)
	_, head := history(t, k)
	if err := head.Check(k, "user/ann"); err != nil {
		t.Fatal(err)
	}
	if head.Check(k, "user/bob") == nil {
		t.Error("a head that is moved to another owner passes")
	}
	forged := head
	forged.State = []byte(`{"token_limit":1000}`)
	if forged.Check(k, "user/ann") == nil {
		t.Error("a forged state passes")
	}
	if (events.Head{Version: 1, State: forged.State}).Check(k, "user/ann") == nil {
		t.Error("a head without a seal passes")
	}
}

func TestAStreamThatWasNeverWrittenNeedsNoSeal(t *testing.T) {
	if err := (events.Head{}).Check(keys(t, pepperA), "user/ann"); err != nil {
		t.Error(err)
	}
}

func TestSealsStayValidAfterARotationOfPeppers(t *testing.T) {
	_, head := history(t, keys(t, pepperA))
	if err := head.Check(keys(t, pepperB+","+pepperA), "user/ann"); err != nil {
		t.Errorf("with the old pepper in second place: %v", err)
	}
	if err := head.Check(keys(t, pepperB), "user/ann"); !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("without the old pepper: got %v, want ErrUnknownKid", err)
	}
}

// TestOnlyAHeadThatIsZeroInEveryFieldNeedsNoSeal: a head of version 0 with any
// other field would be a state that needs no pepper.
func TestOnlyAHeadThatIsZeroInEveryFieldNeedsNoSeal(t *testing.T) {
	k := keys(t, pepperA)
	_, head := history(t, k)
	typ := reflect.TypeFor[events.Head]()
	for i := range typ.NumField() {
		planted := events.Head{}
		reflect.ValueOf(&planted).Elem().Field(i).Set(reflect.ValueOf(head).Field(i))
		if err := planted.Check(k, "user/ann"); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("a head with %s alone: got %v, want ErrDamaged", typ.Field(i).Name, err)
		}
		removed := head
		reflect.ValueOf(&removed).Elem().Field(i).SetZero()
		if err := removed.Check(k, "user/ann"); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("a head without %s: got %v, want ErrDamaged", typ.Field(i).Name, err)
		}
	}
}

var fullView = events.View{
	ID: "JhxND7ci", Owner: "ann", Creator: "boss", Name: "deploy", Description: "from the laptop",
	Verifier:  events.Verifier{Kid: "a", MAC: []byte("0123456789abcdef0123456789abcdef")},
	CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), Disabled: true,
	Scopes: []string{"GET /v1/*", "POST /x"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::/0")},
	First: 3, Seq: 7, Suspended: true,
	Outgoing: events.Verifier{Kid: "b", MAC: []byte("fedcba9876543210fedcba9876543210")}, OutgoingUntil: noon.Add(2 * time.Minute), Rotated: 5,
	Kind: events.KindSession, Via: events.ViaToken, Permissions: []string{"view", "edit"}, MakesUntil: noon.Add(3 * time.Minute), From: "L7k8ljIC", UI: true,
	Ended: events.EndedRevoked, EndedAt: noon.Add(time.Minute), KeepUntil: noon.Add(time.Hour),
}

// sealed returns the view as a commit writes it.
func sealed(t testing.TB, k events.Keys, v events.View) events.View {
	t.Helper()
	c, err := events.NewCommit(k, "user/ann", events.Head{}, meta, anns[1:2], 1, nil, events.Effect{Changed: []events.View{v}})
	if err != nil {
		t.Fatal(err)
	}
	return c.Effect().Changed[0]
}

// viewChanges returns copies of a view, each with one change. A field of a new
// type panics, and a field that the seal does not cover fails the tests below.
func viewChanges(v events.View) map[string]events.View {
	out := map[string]events.View{}
	typ := reflect.TypeFor[events.View]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		set := func(what string, x any) {
			c := v
			f := reflect.ValueOf(&c).Elem().Field(i)
			f.Set(reflect.ValueOf(x).Convert(f.Type()))
			out[name+" "+what] = c
		}
		set("removed", reflect.Zero(typ.Field(i).Type).Interface())
		switch got := reflect.ValueOf(v).Field(i).Interface().(type) {
		case string:
			set("longer", got+"x")
			set("shorter", got[:len(got)-1])
		case events.Ending:
			set("other", events.EndedExpired)
		case time.Time:
			set("later", got.Add(1))
			set("earlier", got.Add(-time.Hour))
		case bool:
			delete(out, name+" removed")
			set("changed", !got)
		case uint64:
			set("higher", got+1)
			set("with a high bit", got|1<<63)
		case []string:
			set("one more", append(slices.Clone(got), ""))
			set("one less", got[1:])
			set("in another order", []string{got[1], got[0]})
			set("joined", []string{got[0] + got[1]})
			set("divided elsewhere", []string{got[0] + got[1][:1], got[1][1:]})
		case []netip.Prefix:
			set("one more", append(slices.Clone(got), netip.MustParsePrefix("10.0.0.0/8")))
			set("one less", got[1:])
			set("in another order", []netip.Prefix{got[1], got[0]})
			set("wider", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/23"), got[1]})
			set("as IPv6", []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120"), got[1]})
		case events.Verifier:
			for where, changed := range changes(got) {
				set(where, changed)
			}
		case events.Hash:
			delete(out, name+" removed")
			for where, changed := range changes(struct{ Hash events.Hash }{got}) {
				set(where, changed.Hash)
			}
		default:
			panic(fmt.Sprintf("viewChanges has no rule for a field of type %T", got))
		}
	}
	return out
}

// TestTheSealOfAViewCoversEveryField: the fields are those of the type, so a new
// field that the seal does not cover fails this test. The digest is not used if
// there is a verifier.
func TestTheSealOfAViewCoversEveryField(t *testing.T) {
	k := keys(t, pepperA)
	v := sealed(t, k, fullView)
	if err := v.Check(k); err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for where, changed := range viewChanges(v) {
		field, _, _ := strings.Cut(where, " ")
		tried[field] = true
		err := changed.Check(k)
		if field == "VerifierDigest" {
			if err != nil {
				t.Errorf("%s: got %v, want no error", where, err)
			}
			continue
		}
		damaged, ok := errors.AsType[*events.DamagedView](err)
		if !ok || !errors.Is(err, events.ErrDamaged) || damaged.TokenID != changed.ID {
			t.Errorf("%s: got %v, want a DamagedView of the token", where, err)
		}
	}
	if n := reflect.TypeFor[events.View]().NumField(); len(tried) != n {
		t.Errorf("changes of %d fields were tried, want %d", len(tried), n)
	}
}

// TestAListedViewIsCheckedByItsDigest: a list has the digest of the verifier in
// place of the verifier.
func TestAListedViewIsCheckedByItsDigest(t *testing.T) {
	k := keys(t, pepperA)
	listed := sealed(t, k, fullView)
	listed.VerifierDigest = listed.Digest()
	listed.Verifier, listed.Outgoing, listed.Rotated = events.Verifier{}, events.Verifier{}, 0
	if err := listed.Check(k); err != nil {
		t.Fatal(err)
	}
	for where, changed := range viewChanges(listed) {
		if slices.Contains([]string{"Verifier removed", "Outgoing removed", "Rotated removed"}, where) {
			continue // there is none
		}
		if err := changed.Check(k); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", where, err)
		}
	}
	listed.VerifierDigest = events.Hash{}
	if err := listed.Check(k); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("without a digest: got %v, want ErrDamaged", err)
	}
}

// TestViewsOfEqualTextsHaveDifferentSeals moves bytes between neighbouring
// fields, and exchanges fields of one type.
func TestViewsOfEqualTextsHaveDifferentSeals(t *testing.T) {
	k := keys(t, pepperA)
	seals := map[string]string{}
	for name, change := range map[string]func(*events.View){
		"unchanged":                       func(*events.View) {},
		"owner and creator exchanged":     func(v *events.View) { v.Owner, v.Creator = v.Creator, v.Owner },
		"a byte from id to owner":         func(v *events.View) { v.ID, v.Owner = "JhxND7c", "iann" },
		"a byte from name to description": func(v *events.View) { v.Name, v.Description = "deplo", "yfrom the laptop" },
		"created and expires exchanged":   func(v *events.View) { v.CreatedAt, v.ExpiresAt = v.ExpiresAt, v.CreatedAt },
		"first and seq exchanged":         func(v *events.View) { v.First, v.Seq = v.Seq, v.First },
		"verifiers exchanged":             func(v *events.View) { v.Verifier, v.Outgoing = v.Outgoing, v.Verifier },
		"disabled, not suspended":         func(v *events.View) { v.Suspended = false },
		"suspended, not disabled":         func(v *events.View) { v.Disabled = false },
		"a byte from kid to MAC":          func(v *events.View) { v.Verifier = events.Verifier{MAC: append([]byte("a"), v.Verifier.MAC...)} },
		"kind and via exchanged":          func(v *events.View) { v.Kind, v.Via = v.Via, v.Kind },
		"a token": func(v *events.View) {
			v.Kind, v.Via, v.Permissions, v.MakesUntil, v.From, v.UI = "", "", nil, time.Time{}, "", false
		},
		"a byte from via to the token": func(v *events.View) { v.Via, v.From = "toke", "nL7k8ljIC" },
		"no end":                       func(v *events.View) { v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{} },
	} {
		v := fullView
		change(&v)
		seal := string(sealed(t, k, v).Seal.MAC)
		if other, ok := seals[seal]; ok {
			t.Errorf("%s and %s have the same seal", name, other)
		}
		seals[seal] = name
	}
}

func TestAnEmptyListIsSealedAsNone(t *testing.T) {
	k := keys(t, pepperA)
	v := sealed(t, k, events.View{ID: "JhxND7ci", CreatedAt: noon})
	v.Scopes, v.SourceIPs, v.CreatedAt = []string{}, []netip.Prefix{}, v.CreatedAt.In(time.FixedZone("", 3600))
	if err := v.Check(k); err != nil {
		t.Errorf("a store may return empty lists and times in another zone: %v", err)
	}
}

// TestNewCommitSealsViewsWithoutAChangeOfItsInput: the rules may keep the views.
func TestNewCommitSealsViewsWithoutAChangeOfItsInput(t *testing.T) {
	k := keys(t, pepperB+","+pepperA)
	minted, changed := []events.View{fullView}, []events.View{fullView, fullView}
	c, err := events.NewCommit(k, "user/ann", events.Head{}, meta, anns[:1], 1, nil, events.Effect{Minted: minted, Changed: changed})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(slices.Clone(c.Effect().Minted), c.Effect().Changed...) {
		if err := v.Check(k); err != nil || v.Seal.Kid != "b" {
			t.Errorf("got %v under pepper %q, want a seal under the current pepper b", err, v.Seal.Kid)
		}
	}
	for _, v := range append(minted, changed...) {
		if !reflect.DeepEqual(v, fullView) {
			t.Error("NewCommit changed a view of its caller")
		}
	}
}

func TestAViewWithoutItsPepperIsAFaultThatNamesIt(t *testing.T) {
	v := sealed(t, keys(t, pepperA), fullView)
	if err := v.Check(keys(t, pepperB+","+pepperA)); err != nil {
		t.Errorf("with the old pepper in second place: %v", err)
	}
	err := v.Check(keys(t, pepperB))
	if !errors.Is(err, events.ErrUnknownKid) || !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("without the old pepper: got %v, want ErrUnknownKid and ErrDamaged with the name of the pepper", err)
	}
}

// TestARecordMACCannotBeMovedOrForged: the forger builds a correct chain with
// own peppers of the same name.
func TestARecordMACCannotBeMovedOrForged(t *testing.T) {
	k := keys(t, pepperA)
	rs, _ := history(t, k)
	for _, r := range rs {
		if err := r.Message().CheckMAC(k); err != nil {
			t.Error(err)
		}
	}
	forged, _ := history(t, keys(t, "a:"+strings.TrimPrefix(pepperB, "b:")))
	moved := rs[1].Message()
	moved.MAC = rs[0].MAC
	bare := rs[0].Message()
	bare.MAC = events.Verifier{}
	for name, m := range map[string]events.Message{
		"forged": forged[0].Message(), "with the MAC of another record": moved, "without a MAC": bare,
		"a notice": {ID: "TokenExpiring/x", Type: "TokenExpiring", Time: noon},
	} {
		if err := m.CheckMAC(k); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
	if err := rs[0].Message().CheckMAC(keys(t, pepperB)); !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("without the pepper: got %v, want ErrUnknownKid", err)
	}
}

func BenchmarkViewCheck(b *testing.B) {
	k := keys(b, pepperA)
	v := sealed(b, k, fullView)
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Check(k); err != nil {
			b.Fatal(err)
		}
	}
}
