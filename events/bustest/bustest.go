// Package bustest states the promises of events.Bus as one suite of tests. Every
// bus runs it. A bus may deliver late and more than once, so the suite waits for
// at most maxDelay and ignores repeats. Every check makes its own messages and
// ignores all others, so all checks can share one bus. A promise that only one
// bus makes is tested with that bus.
package bustest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

// Subject is a bus under test.
type Subject struct {
	Bus events.Bus

	// Deployment is the id of the deployment that the bus gives each message.
	Deployment string

	// Arrived returns all messages that have arrived until now, with repeats,
	// decoded from the form of the bus.
	Arrived func() ([]events.Message, error)

	// Ordered says that messages arrive in the order of the Put.
	Ordered bool
}

// Run runs the suite. open returns the bus for one check; it may return the same
// bus each time.
func Run(t *testing.T, open func(*testing.T) Subject) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, Subject){
		"AllMessagesArrive":            allArrive,
		"OneCallTakesManyMessages":     manyFit,
		"ACallWithoutMessagesSucceeds": noMessages,
		"FailedMessagesAreNamed":       failedAreNamed,
		"ARepeatIsAccepted":            repeatIsAccepted,
		"ACancelledContextPutsNothing": cancelledPutsNothing,
		"ConcurrentCallsAreAccepted":   concurrentCalls,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

// stream returns the n messages of a new stream.
func stream(t *testing.T, n int) (ms []events.Message) {
	t.Helper()
	keys, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	owner := "ann-" + rand.Text()
	base := events.Head{}
	for i := range n {
		m := events.Meta{Command: rand.Text(), Actor: owner, TokenID: "JhxND7ci", At: time.Now()}
		fact := events.TokenCreated{TokenID: rand.Text()[:8], Owner: owner, Name: fmt.Sprintf("%d ✓ <&> \u2028", i)}
		c, err := events.NewCommit(keys, events.UserStream(owner), base, m, []events.Fact{fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		base = c.Head()
		ms = append(ms, c.Records()[0].Message())
	}
	return ms
}

func notice() events.Message {
	return events.Message{
		ID: "TokenExpiring/" + rand.Text(), Type: "TokenExpiring", V: 1, Time: time.Now().UTC(),
		Subject: "JhxND7ci", Actor: "operator", Data: []byte(`{"v":1}`),
	}
}

func put(t *testing.T, s Subject, ms ...events.Message) {
	t.Helper()
	failed, err := s.Bus.Put(t.Context(), ms)
	if err != nil || failed != nil {
		t.Fatalf("Put of %d messages: got %v, %v, want all accepted", len(ms), failed, err)
	}
}

// maxDelay is how long a check waits for messages to arrive.
const maxDelay = time.Minute

// expectArrived waits until each message has arrived at least once. It compares
// the arrived messages with the wanted ones and returns the number of repeats.
func expectArrived(t *testing.T, s Subject, want ...events.Message) (repeats int) {
	t.Helper()
	deadline := time.Now().Add(maxDelay)
	for pause := time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		got, repeats := arrived(t, s, want)
		if len(got) == len(want) {
			compare(t, s, got, want)
			return repeats
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d messages arrived", len(got), len(want))
		}
		time.Sleep(pause)
	}
}

// arrived returns the wanted messages that have arrived, each once, and the
// number of their repeats.
func arrived(t *testing.T, s Subject, want []events.Message) (got []events.Message, repeats int) {
	t.Helper()
	all, err := s.Arrived()
	if err != nil {
		t.Fatalf("reading the arrived messages: %v", err)
	}
	missing := map[string]bool{}
	for _, m := range want {
		missing[m.ID] = true
	}
	for _, m := range all {
		first, wanted := missing[m.ID]
		switch {
		case first:
			got = append(got, m)
			missing[m.ID] = false
		case wanted:
			repeats++
		}
	}
	return got, repeats
}

func compare(t *testing.T, s Subject, got, want []events.Message) {
	t.Helper()
	if !s.Ordered {
		got, want = byID(got), byID(want)
	}
	for i, m := range want {
		m.Deployment = s.Deployment
		g, errGot := got[i].Detail()
		w, errWant := m.Detail()
		if err := errors.Join(errGot, errWant); err != nil {
			t.Fatal(err)
		}
		if string(g) != string(w) {
			t.Errorf("message %d: got\n%s\nwant\n%s", i, g, w)
		}
	}
}

func byID(ms []events.Message) []events.Message {
	return slices.SortedFunc(slices.Values(ms), func(a, b events.Message) int { return cmp.Compare(a.ID, b.ID) })
}

func allArrive(t *testing.T, s Subject) {
	ms := append(stream(t, 3), notice())
	put(t, s, ms...)
	expectArrived(t, s, ms...)
	got, _ := arrived(t, s, ms[:3])
	slices.SortFunc(got, func(a, b events.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	if err := events.VerifyMessages(events.Hash{}, got); err != nil {
		t.Errorf("the chain of the arrived messages: %v", err)
	}
}

// manyFit puts more messages in one call than any bus accepts in one request.
func manyFit(t *testing.T, s Subject) {
	ms := stream(t, 250)
	put(t, s, ms...)
	expectArrived(t, s, ms...)
}

func noMessages(t *testing.T, s Subject) { put(t, s) }

// failedAreNamed has one message that no bus can send, because its data is not
// JSON. It is in the middle of the others.
func failedAreNamed(t *testing.T, s Subject) {
	ms := stream(t, 15)
	broken := notice()
	broken.Data = []byte("{")
	failed, err := s.Bus.Put(t.Context(), slices.Insert(slices.Clone(ms), 7, broken))
	if err != nil {
		t.Fatalf("Put: got the error %v for the whole call, want one for the broken message", err)
	}
	if len(failed) != 1 || failed[broken.ID] == nil {
		t.Errorf("failed: got %v, want an error for %q alone", failed, broken.ID)
	}
	expectArrived(t, s, ms...)
	if got, _ := arrived(t, s, []events.Message{broken}); len(got) > 0 {
		t.Errorf("a message that was not accepted arrived: %v", got)
	}
}

func repeatIsAccepted(t *testing.T, s Subject) {
	ms := stream(t, 2)
	put(t, s, ms...)
	put(t, s, ms...)
	expectArrived(t, s, ms...)
}

func cancelledPutsNothing(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lost, next := stream(t, 2), stream(t, 1)
	if failed, err := s.Bus.Put(ctx, lost); err == nil {
		t.Errorf("Put with a cancelled context: got %v and no error", failed)
	}
	put(t, s, next...)
	expectArrived(t, s, next...)
	if got, _ := arrived(t, s, lost); len(got) > 0 {
		t.Errorf("%d messages arrived that were put with a cancelled context", len(got))
	}
}

func concurrentCalls(t *testing.T, s Subject) {
	var all []events.Message
	answers := make(chan error)
	const calls = 8
	for range calls {
		ms := stream(t, 12)
		all = append(all, ms...)
		go func() {
			failed, err := s.Bus.Put(t.Context(), ms)
			if len(failed) > 0 {
				err = fmt.Errorf("%d failed", len(failed))
			}
			answers <- err
		}()
	}
	for range calls {
		if err := <-answers; err != nil {
			t.Errorf("a concurrent Put: %v", err)
		}
	}
	s.Ordered = false // messages of different calls have no order
	expectArrived(t, s, all...)
}
