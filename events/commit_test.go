package events_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

func TestCommitContinuesTheStream(t *testing.T) {
	k := keys(t, pepperA)
	first := commit(t, k, "user/ann", events.Head{}, meta, anns[0])
	second := commit(t, k, "user/ann", first.Head(), meta, anns[1:]...)
	if second.Base() != 1 || second.Stream() != "user/ann" || second.Command() != meta.Command {
		t.Errorf("got base %d of %s by %s, want 1 of user/ann by %s", second.Base(), second.Stream(), second.Command(), meta.Command)
	}
	rs := append(first.Records(), second.Records()...)
	for i, r := range rs {
		if want := uint64(i + 1); r.Seq != want {
			t.Errorf("record %d has sequence %d", i, r.Seq)
		}
	}
	if err := events.Verify(events.Hash{}, rs); err != nil {
		t.Error(err)
	}
	head, last := second.Head(), rs[len(rs)-1]
	if head.Version != uint64(len(rs)) || head.Hash != last.Hash || !head.At.Equal(noon) || !head.KeepUntil.Equal(last.KeepUntil) {
		t.Errorf("the head %+v does not match the last record %+v", head, last)
	}
	if err := head.Check(k, "user/ann"); err != nil {
		t.Error(err)
	}
}

func TestRecordsDecodeToTheFactsThatWereCommitted(t *testing.T) {
	for _, f := range every {
		r := recordOf(t, f)
		got, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, f) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", r.Type, got, f)
		}
	}
	rs, _ := history(t, keys(t, pepperA))
	for _, r := range rs {
		aboutOwner := slices.Contains([]string{"OwnerLimitChanged", "UserSuspended", "UserReinstated"}, r.Type)
		if (r.Subject() == "") != aboutOwner {
			t.Errorf("the subject of the %s %s is %q, want a token, and none for a fact about the owner", r.Type, r.ID(), r.Subject())
		}
	}
}

func TestDecodeRefusesUnknownAndDamagedRecords(t *testing.T) {
	good := commit(t, keys(t, pepperA), "user/ann", events.Head{}, meta, anns[0]).Records()[0]
	for name, spoil := range map[string]func(*events.Record){
		"a later version":       func(r *events.Record) { r.V = 2 },
		"no version":            func(r *events.Record) { r.V = 0 },
		"a foreign stream":      func(r *events.Record) { r.Stream = events.SettingsStream },
		"an unknown type":       func(r *events.Record) { r.Type = "TokenEaten" },
		"public bytes, no JSON": func(r *events.Record) { r.Public = []byte("{") },
		"private, no JSON":      func(r *events.Record) { r.Private = []byte("{") },
	} {
		r := good
		spoil(&r)
		if f, err := events.Decode(r); err == nil || !strings.Contains(err.Error(), r.ID()) {
			t.Errorf("%s: got %v, %v, want an error that names the record", name, f, err)
		}
	}
}

func TestCommitRefusesCommitsThatNoStoreCanWrite(t *testing.T) {
	k := keys(t, pepperA)
	many := slices.Repeat(anns[1:2], 99) // with the head: 100 items
	for name, c := range map[string]struct {
		facts  []events.Fact
		state  int
		effect events.Effect
		fails  bool
	}{
		"no facts":                        {fails: true},
		"as many items as fit":            {facts: many},
		"one fact too many":               {facts: append(many, anns[1]), fails: true},
		"one view too many":               {facts: many, effect: events.Effect{Changed: make([]events.View, 1)}, fails: true},
		"one minted view too many":        {facts: many, effect: events.Effect{Minted: make([]events.View, 1)}, fails: true},
		"an expired reply alone":          {facts: anns, effect: events.Effect{Expired: &events.Reply{Key: "k"}}, fails: true},
		"an expired reply of another key": {facts: anns, effect: events.Effect{Reply: &events.Reply{Key: "k"}, Expired: &events.Reply{Key: "other"}}, fails: true},
		"the reply too many":              {facts: many, effect: events.Effect{Reply: &events.Reply{}}, fails: true},
		"the largest state":               {facts: many, state: events.MaxState},
		"a state too large":               {facts: many, state: events.MaxState + 1, fails: true},
	} {
		_, err := events.NewCommit(k, "user/ann", events.Head{}, meta, c.facts, 1, make([]byte, c.state), c.effect)
		if (err != nil) != c.fails {
			t.Errorf("%s: got error %v, want an error: %t", name, err, c.fails)
		}
	}
	_, err := events.NewCommit(k, events.SettingsStream, events.Head{}, meta, anns[:1], 1, nil, events.Effect{})
	if err == nil || !strings.Contains(err.Error(), "TokenCreated") {
		t.Errorf("a fact of another stream: got %v, want an error that names the fact", err)
	}
	_, err = events.NewCommit(events.Keys{}, "user/ann", events.Head{}, meta, anns, 1, nil, events.Effect{})
	if !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("without peppers: got %v, want ErrUnknownKid", err)
	}
}

func TestTimesOfAStreamNeverDecrease(t *testing.T) {
	k := keys(t, pepperA)
	base := commit(t, k, "user/ann", events.Head{}, meta, anns[0]).Head()
	slow := meta
	slow.At = noon.Add(-time.Hour).In(time.FixedZone("", 3600))
	c := commit(t, k, "user/ann", base, slow, anns[1])
	if got := c.Records()[0].At; !got.Equal(noon) || got.Location() != time.UTC {
		t.Errorf("with a clock that is an hour slow: got %v, want the time of the record before, %v", got, noon)
	}
}

func TestALogLosesOnlyItsBeginning(t *testing.T) {
	const day = 24 * time.Hour
	k := keys(t, pepperA)
	for name, c := range map[string]struct {
		retentions []time.Duration
		want       []time.Duration // after noon; zero: for ever
	}{
		"the same for all":          {[]time.Duration{day, day}, []time.Duration{day, day}},
		"a longer one":              {[]time.Duration{day, 2 * day}, []time.Duration{day, 2 * day}},
		"a shorter one waits":       {[]time.Duration{2 * day, day}, []time.Duration{2 * day, 2 * day}},
		"for ever stays for ever":   {[]time.Duration{0, day}, []time.Duration{0, 0}},
		"from now on for ever":      {[]time.Duration{day, 0}, []time.Duration{day, 0}},
		"for ever twice, then less": {[]time.Duration{0, 0, day}, []time.Duration{0, 0, 0}},
	} {
		var head events.Head
		for i, retention := range c.retentions {
			m := meta
			m.Retention = retention
			made := commit(t, k, "user/ann", head, m, anns[1])
			head = made.Head()
			want := time.Time{}
			if c.want[i] > 0 {
				want = noon.Add(c.want[i])
			}
			if got := made.Records()[0].KeepUntil; !got.Equal(want) || !head.KeepUntil.Equal(want) {
				t.Errorf("%s: record %d is kept until %v, its head says %v, want %v", name, i+1, got, head.KeepUntil, want)
			}
		}
	}
}

func TestRecordIsGoneFromTheInstantItsRetentionEnds(t *testing.T) {
	r := events.Record{KeepUntil: noon}
	for now, want := range map[time.Time]bool{noon.Add(-time.Microsecond): false, noon: true, noon.Add(time.Microsecond): true} {
		if got := r.Gone(now); got != want {
			t.Errorf("at %v: gone %v, want %v", now, got, want)
		}
	}
	if (events.Record{}).Gone(noon) {
		t.Error("a record that is kept for ever is gone")
	}
}

func TestTheSameFactHasADifferentDigestEachTime(t *testing.T) {
	k := keys(t, pepperA)
	one := commit(t, k, "user/ann", events.Head{}, meta, anns[1]).Records()[0]
	two := commit(t, k, "user/ann", events.Head{}, meta, anns[1]).Records()[0]
	if one.Message().PrivateDigest == two.Message().PrivateDigest || one.Hash == two.Hash {
		t.Error("the digest or the hash is the same each time, so the address can be guessed")
	}
	if !bytes.Equal(one.Public, two.Public) || !bytes.Contains(one.Private, []byte(meta.Address)) {
		t.Errorf("got %s and %s, want the address in the private part alone", one.Public, one.Private)
	}
}
