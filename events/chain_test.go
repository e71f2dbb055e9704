package events_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/localstack/longtest"
)

// changes returns copies of v, each with one change: in one byte of a string,
// byte slice or hash, or in a number or time. The map's names say where.
func changes[T any](v T) map[string]T {
	out := map[string]T{}
	add := func(name string, change func(*T)) {
		c := v
		change(&c)
		out[name] = c
	}
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		field := func(c *T) reflect.Value { return reflect.ValueOf(c).Elem().Field(i) }
		switch got := reflect.ValueOf(v).Field(i).Interface().(type) {
		case string, events.Stream:
			text := []byte(fmt.Sprint(got))
			for at := range text {
				add(fmt.Sprint(name, at), func(c *T) { field(c).SetString(string(flip(text, at))) })
			}
		case []byte:
			for at := range got {
				add(fmt.Sprint(name, at), func(c *T) { field(c).SetBytes(flip(got, at)) })
			}
			add(name+" longer", func(c *T) { field(c).SetBytes(append(slices.Clone(got), 0)) })
		case events.Hash:
			for at := range got {
				add(fmt.Sprint(name, at), func(c *T) { field(c).Set(reflect.ValueOf(events.Hash(flip(got[:], at)))) })
			}
		case int:
			add(name, func(c *T) { field(c).SetInt(int64(got) + 1) })
		case uint64:
			add(name, func(c *T) { field(c).SetUint(got + 1) })
		case time.Time:
			add(name, func(c *T) { field(c).Set(reflect.ValueOf(got.Add(time.Microsecond))) }) // the smallest time that is counted
		case events.Verifier:
			for n, changed := range changes(got) {
				add(name+n, func(c *T) { field(c).Set(reflect.ValueOf(changed)) })
			}
		default:
			panic(fmt.Sprintf("changes has no rule for a field of type %T", got))
		}
	}
	return out
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// TestChangingAnyStoredByteOfARecordIsFound: the chain finds each change without
// peppers, except a change of the MAC. CheckMAC finds each change.
//
// With APITOKEN_SHORTER=1 it tries one of eight changes.
func TestChangingAnyStoredByteOfARecordIsFound(t *testing.T) {
	every := 1
	if longtest.Shorter() {
		every = 8
	}
	k := keys(t, pepperA)
	rs, _ := history(t, k)
	if err := events.Verify(events.Hash{}, rs); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range rs {
		for where, changed := range changes(rs[i]) {
			if tried++; tried%every != 0 {
				continue
			}
			spoiled := slices.Clone(rs)
			spoiled[i] = changed
			onlyMAC := strings.HasPrefix(where, "MAC")
			if passes := events.Verify(events.Hash{}, spoiled) == nil; passes != onlyMAC {
				t.Errorf("record %d, a change at %s: the chain verifies: %t, want %t", i+1, where, passes, onlyMAC)
			}
			if err := changed.Message().CheckMAC(k); !errors.Is(err, events.ErrDamaged) {
				t.Errorf("record %d, a change at %s: CheckMAC returned %v, want ErrDamaged", i+1, where, err)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d changes were tried", tried)
	}
}

func TestHidingARecordLeavesAGap(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	for i := range rs {
		visible := slices.Delete(slices.Clone(rs), i, i+1)
		err := events.Verify(rs[0].Prev, visible)
		if last := i == len(rs)-1; (err == nil) != last {
			t.Errorf("without record %d: got %v", i+1, err)
		}
	}
}

func TestRecordsCannotBeSwappedRepeatedOrMoved(t *testing.T) {
	k := keys(t, pepperA)
	rs, _ := history(t, k)
	others := commit(t, k, "user/bob", events.Head{}, meta, anns...).Records()
	for name, spoiled := range map[string][]events.Record{
		"swapped":              {rs[1], rs[0], rs[2]},
		"repeated":             {rs[0], rs[0], rs[1]},
		"of another stream":    {rs[0], others[1], rs[2]},
		"another stream whole": append(slices.Clone(rs), others...),
	} {
		if events.Verify(events.Hash{}, spoiled) == nil {
			t.Errorf("%s: it is not noticed", name)
		}
	}
}

// TestALinkedRecordMustBeTheNextOfItsStream: the hashes of these chains are
// correct; only the sequence or the stream is wrong.
func TestALinkedRecordMustBeTheNextOfItsStream(t *testing.T) {
	k, revoked := keys(t, pepperA), events.TokenRevoked{TokenID: "L7k8ljIC", Owner: "ann", Cause: events.CauseUser}
	first := commit(t, k, "user/ann", events.Head{}, meta, revoked)
	skipping := first.Head()
	skipping.Version = 5
	for name, second := range map[string]events.Commit{
		"a number is skipped": commit(t, k, "user/ann", skipping, meta, revoked),
		"another stream":      commit(t, k, "user/bob", first.Head(), meta, revoked),
	} {
		if events.Verify(events.Hash{}, append(first.Records(), second.Records()...)) == nil {
			t.Errorf("%s: it is not noticed", name)
		}
	}
}

func TestALogWithoutItsBeginningVerifiesFromItsOldestRecord(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	for i := range rs {
		if err := events.Verify(rs[i].Prev, rs[i:]); err != nil {
			t.Errorf("from record %d: %v", i+1, err)
		}
	}
	if events.Verify(events.Hash{}, rs[1:]) == nil {
		t.Error("a log without its beginning passes for a complete log")
	}
	if err := events.Verify(events.Hash{1}, nil); err != nil {
		t.Errorf("no records: %v", err)
	}
}

// checkHistory returns an error unless head and records belong together. An
// auditor with the peppers makes the same checks.
func checkHistory(k events.Keys, s events.Stream, head events.Head, rs []events.Record) error {
	if err := head.Check(k, s); err != nil {
		return err
	}
	if err := events.Verify(events.Hash{}, rs); err != nil {
		return err
	}
	if last := rs[len(rs)-1]; last.Hash != head.Hash || last.Seq != head.Version {
		return fmt.Errorf("the head, at version %d, does not match the last record, number %d", head.Version, last.Seq)
	}
	return nil
}

func TestRewritingAWholeChainNeedsThePepper(t *testing.T) {
	k := keys(t, pepperA)
	rs, head := history(t, k)
	if err := checkHistory(k, "user/ann", head, rs); err != nil {
		t.Fatal(err)
	}
	forger := keys(t, "a:"+strings.TrimPrefix(pepperB, "b:")) // knows the kid and guesses the pepper
	forged, forgedHead := history(t, forger)
	if err := events.Verify(events.Hash{}, forged); err != nil {
		t.Fatalf("the forged chain does not verify: %v", err)
	}
	for name, h := range map[string]events.Head{"the forger's seal": forgedHead, "the old seal": resealed(forgedHead, head.Seal), "the old head": head} {
		if checkHistory(k, "user/ann", h, forged) == nil {
			t.Errorf("a rewritten chain passes with %s", name)
		}
	}
}

func resealed(h events.Head, seal events.Verifier) events.Head {
	h.Seal = seal
	return h
}

// TestHashCoversEveryPartWithItsLength computes a hash by hand, to notice every
// change of the encoding. A change would break the chain of every existing log.
func TestHashCoversEveryPartWithItsLength(t *testing.T) {
	revoked := events.TokenRevoked{TokenID: "L7k8ljIC", Owner: "ann", Cause: events.CauseUser}
	r := commit(t, keys(t, pepperA), "user/ann", events.Head{}, meta, revoked).Records()[0]
	digest := sha256.Sum256(r.Private)
	var covered []byte
	for _, part := range []string{
		string(make([]byte, 32)), "1/TokenRevoked/1", "user/ann", "cmd1", "ann", "JhxND7ci", "2026-11-21T12:00:00.123456Z",
		"2027-12-26T12:00:00.123456Z", `{"v":1,"token_id":"L7k8ljIC","owner":"ann","cause":"user"}`, string(digest[:]),
	} {
		covered = append(binary.BigEndian.AppendUint64(covered, uint64(len(part))), part...)
	}
	if want := events.Hash(sha256.Sum256(covered)); r.Hash != want {
		t.Errorf("got hash %s, want %s", r.Hash, want)
	}
}

// TestHashCoversThePage: an event of a caller at the page has two more parts. All other
// hashes are as they were before.
func TestHashCoversThePage(t *testing.T) {
	revoked := events.TokenRevoked{TokenID: "L7k8ljIC", Owner: "ann", Cause: events.CauseUser}
	for _, address := range []string{"203.0.113.9", ""} {
		m := atPage()
		m.ActorAddress = address
		r := commit(t, keys(t, pepperA), "user/ann", events.Head{}, m, revoked).Records()[0]
		digest := sha256.Sum256(r.Private)
		var covered []byte
		for _, part := range []string{
			string(make([]byte, 32)), "1/TokenRevoked/1", "user/ann", "cmd1", "ann", "JhxND7ci", "2026-11-21T12:00:00.123456Z",
			"2027-12-26T12:00:00.123456Z", `{"v":1,"token_id":"L7k8ljIC","owner":"ann","cause":"user"}`, string(digest[:]), "ui", address,
		} {
			covered = append(binary.BigEndian.AppendUint64(covered, uint64(len(part))), part...)
		}
		if want := events.Hash(sha256.Sum256(covered)); r.Hash != want {
			t.Errorf("address %q: got hash %s, want %s", address, r.Hash, want)
		}
	}
}

func TestHashRoundTripsAsText(t *testing.T) {
	h := events.Hash(sha256.Sum256([]byte("x")))
	got, err := events.ParseHash(h.String())
	if err != nil || got != h {
		t.Errorf("got %v, %v, want %v", got, err, h)
	}
	for _, bad := range []string{"", h.String()[1:], h.String() + "0", "g" + h.String()[1:]} {
		if _, err := events.ParseHash(bad); err == nil {
			t.Errorf("%q is accepted as a hash", bad)
		}
	}
}
