package events_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"apitoken/events"
)

func TestEventsRoundTripAndVerifyWithoutThePrivatePart(t *testing.T) {
	rs, _ := history(t, keys(t, pepperA))
	var received []events.Message
	for _, r := range rs {
		m, err := events.ParseDetail(detail(t, r.Message()))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, r.Message()) {
			t.Errorf("got  %+v\nwant %+v", m, r.Message())
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

func detail(t testing.TB, m events.Message) []byte {
	t.Helper()
	b, err := m.Detail()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoticesRoundTrip(t *testing.T) {
	want := events.Message{ID: "TokenExpiring/L7k8ljIC/7", Type: "TokenExpiring", V: 1, Time: noon, Subject: "L7k8ljIC", Data: []byte(`{"v":1}`)}
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
			if b := detail(t, r.Message()); bytes.Contains(b, []byte(private)) {
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
	got := members(t, detail(t, rs[0].Message()))
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
	event := detail(t, rs[1].Message())
	for name := range members(t, event) {
		changed := members(t, event)
		switch old := changed[name].(type) {
		case string:
			changed[name] = old[:len(old)-1] + "~"
		case float64:
			changed[name] = old + 1
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
		f.Add(detail(f, r.Message()))
	}
	f.Add([]byte(`{"sequence":1}`))
	f.Add([]byte(`{"time":"2026-11-21T12:00:00Z","data":null,"dataraw":"null"}`))
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
