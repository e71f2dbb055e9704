package events_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

func TestEventsRoundTripAndVerifyWithoutThePrivatePart(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	var received []events.Message
	for _, r := range rs {
		want := published(r)
		m, err := events.ParseDetail(detail(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, want) {
			t.Errorf("got  %+v\nwant %+v", m, want)
		}
		received = append(received, m)
	}
	if err := events.VerifyMessages(events.Hash{}, received); err != nil {
		t.Error(err)
	}
	for _, m := range received {
		if err := m.CheckMAC(keys(t, pepperA)); err != nil {
			t.Error(err)
		}
	}
}

// TestAnAddressWithoutThePageIsRefused: the hash does not cover it.
func TestAnAddressWithoutThePageIsRefused(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	b := detail(t, published(rs[0]))
	planted := bytes.Replace(b, []byte(`"actor":`), []byte(`"actoraddress":"203.0.113.9","actor":`), 1)
	if _, err := events.ParseDetail(planted); err == nil {
		t.Errorf("it is accepted: %s", planted)
	}
}

func TestIsReportsOnlyTheKindOfTheFact(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	for i, r := range rs {
		for j, f := range anns {
			if got, want := r.Message().Is(f), i%len(anns) == j; got != want {
				t.Errorf("the message of a %s is a %T: got %t, want %t", r.Type, f, got, want)
			}
		}
	}
}

// deployment is the id of the deployment that publishes the events of the tests.
const deployment = "51af3dc0-da77-11e4-872e-1234567db123"

// published returns the message of a record as a bus sends it.
func published(r events.Record) events.Message {
	m := r.Message()
	m.Deployment = deployment
	return m
}

func detail(t testing.TB, m events.Message) []byte {
	t.Helper()
	b, err := m.Detail()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoticesRoundTrip(t *testing.T) {
	want := events.Message{ID: "TokenExpiring/L7k8ljIC/7", Type: "TokenExpiring", V: 1, Time: noon, Subject: "L7k8ljIC", Data: []byte(`{"v":1}`), Deployment: deployment}
	b := detail(t, want)
	got, err := events.ParseDetail(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if bytes.Contains(b, []byte("hash")) {
		t.Errorf("a notice is in no chain, but has hashes: %s", b)
	}
}

func TestEventsHoldNothingPrivate(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	for _, r := range rs {
		for _, private := range []string{meta.Address, "dGhpcnR5LXR3byBieXRlcw", "nonce", "verifier", `"mac"`} {
			if b := detail(t, published(r)); bytes.Contains(b, []byte(private)) {
				t.Errorf("event %s holds %q: %s", r.ID(), private, b)
			}
		}
	}
	if !bytes.Contains(rs[0].Private, []byte(meta.Address)) || !bytes.Contains(rs[0].Private, []byte(`"mac"`)) {
		t.Errorf("the private part %s lacks the address or the verifier, so this test shows nothing", rs[0].Private)
	}
}

// members decodes an event, so that a test can change members and encode it
// again.
func members(t testing.TB, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEventNamesAreLegalInCloudEvents(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	got := members(t, detail(t, published(rs[0])))
	for name := range got {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(name) > 20 {
			t.Errorf("CloudEvents section 3.1 forbids the name %q", name)
		}
	}
	for _, required := range []string{"specversion", "id", "source", "type"} {
		if got[required] == nil {
			t.Errorf("CloudEvents requires %q", required)
		}
	}
}

func TestChangingAnyMemberOfAnEventIsFound(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	event := detail(t, published(rs[1]))
	for name := range members(t, event) {
		changed := members(t, event)
		switch old := changed[name].(type) {
		case string:
			changed[name] = old[:len(old)-1] + "~"
		case map[string]any:
			old["owner"] = "eve"
		}
		if verifies(t, changed, rs[1].Prev) {
			t.Errorf("a change of %q is not noticed", name)
		}
		delete(changed, name)
		if verifies(t, changed, rs[1].Prev) {
			t.Errorf("an event without %q passes", name)
		}
	}
	if !verifies(t, members(t, event), rs[1].Prev) {
		t.Error("an event does not pass with its members in another order")
	}
}

// TestTheSourceIsUniqueAndOutsideOfTheChain: the source of an event names its
// deployment, so source and id together are unique. Hashes do not cover the source.
func TestTheSourceIsUniqueAndOutsideOfTheChain(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	one, other := published(rs[0]), published(rs[0])
	other.Deployment = "KX3N5T2Q7ZL4M6P8R9S1V0W2Y4"
	sources := map[any]bool{}
	for _, m := range []events.Message{one, other} {
		event := members(t, detail(t, m))
		sources[event["source"]] = true
		if event["source"] != "urn:apitoken:"+m.Deployment || !verifies(t, event, events.Hash{}) {
			t.Errorf("got %v, want an event of %s that verifies", event, m.Deployment)
		}
	}
	if len(sources) != 2 {
		t.Errorf("two deployments have the sources %v", sources)
	}
}

// TestAnEventNeedsADeployment: without one, source and id would not be unique.
func TestAnEventNeedsADeployment(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	event := members(t, detail(t, published(rs[0])))
	for _, id := range []string{"", " ", "a b", "a:b", "a/b", "é", "a\n", "arn:aws:cloudformation:us-east-1:123456789012:stack/x/51af3dc0", strings.Repeat("a", 65)} {
		m := rs[0].Message()
		if m.Deployment = id; events.ValidDeployment(id) == nil {
			t.Errorf("%q is accepted as the id of a deployment", id)
		}
		if b, err := m.Detail(); err == nil {
			t.Errorf("deployment %q: got %s", id, b)
		}
		if event["source"] = "urn:apitoken:" + id; verifies(t, event, events.Hash{}) {
			t.Errorf("source %q: the event passes", event["source"])
		}
	}
	for _, id := range []string{"a", deployment, strings.Repeat("a", 64), "KX3N5T2Q7ZL4M6P8R9S1V0W2Y4"} {
		if err := events.ValidDeployment(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, source := range []string{deployment, "urn:other:" + deployment, "apitoken", "URN:apitoken:" + deployment} {
		if event["source"] = source; verifies(t, event, events.Hash{}) {
			t.Errorf("source %q: the event passes", source)
		}
	}
}

// TestTheSequenceIsATextOfTwelveDigits: consumers in any language read it exactly,
// and the order of texts is the order of events.
func TestTheSequenceIsATextOfTwelveDigits(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	event := members(t, detail(t, published(rs[1])))
	if event["sequence"] != "000000000002" {
		t.Errorf("got sequence %v", event["sequence"])
	}
	for _, changed := range []any{"2", 2, "0000000000002", "00000000002", "+00000000002", "000000000003", "000000000000", "", "00000000000b", " 00000000002", nil} {
		if event["sequence"] = changed; verifies(t, event, rs[1].Prev) {
			t.Errorf("an event with the sequence %#v passes", changed)
		}
	}
}

// TestInstantsHaveSixDigitsEverywhere: the clock counts nanoseconds, and each
// instant of an event has exactly six digits of a second.
func TestInstantsHaveSixDigitsEverywhere(t *testing.T) {
	for _, nanoseconds := range []int{0, 1, 999, 1000, 100_000_000, 999_999_999} {
		m := meta
		m.At = time.Date(2026, 11, 21, 13, 0, 0, nanoseconds, time.FixedZone("", 3600))
		expires := m.At.Add(time.Hour)
		c := commit(t, keys(t, pepperA), "user/ann", events.Head{}, m,
			events.TokenCreated{TokenID: "L7k8ljIC", Owner: "ann", ExpiresAt: instant.Of(expires)},
			events.TokenExpired{TokenID: "L7k8ljIC", Owner: "ann", ExpiresAt: instant.Time{Time: expires}})
		want := m.At.UTC().Truncate(time.Microsecond)
		if h := c.Head(); h.At != want || h.KeepUntil != want.Add(m.Retention) {
			t.Errorf("%d ns: the head has the times %s and %s, want %s", nanoseconds, h.At, h.KeepUntil, want)
		}
		for _, r := range c.Records() {
			event := members(t, detail(t, published(r)))
			texts := []string{event["time"].(string), event["keepuntil"].(string), event["data"].(map[string]any)["expires_at"].(string)}
			for i, at := range []time.Time{want, want.Add(m.Retention), want.Add(time.Hour)} {
				if got := at.Format("2006-01-02T15:04:05.000000Z"); texts[i] != got {
					t.Errorf("%d ns: got %s, want %s", nanoseconds, texts[i], got)
				}
			}
		}
	}
}

func verifies(t testing.TB, event map[string]any, prev events.Hash) bool {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	m, err := events.ParseDetail(b)
	return err == nil && events.VerifyMessages(prev, []events.Message{m}) == nil && m.CheckMAC(keys(t, pepperA)) == nil
}

func FuzzParseDetail(f *testing.F) {
	rs, _ := history(f, keys(f, pepperA))
	for _, r := range rs {
		f.Add(detail(f, published(r)))
	}
	f.Add([]byte(`{"sequence":"000000000001"}`))
	f.Add([]byte(`{"source":"urn:apitoken:x","time":"2026-11-21T12:00:00.000000Z","data":null,"dataraw":"null"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := events.ParseDetail(b)
		if err != nil {
			return
		}
		again, err := events.ParseDetail(detail(t, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("got %+v, %v\nwant %+v", again, err, m)
		}
	})
}
