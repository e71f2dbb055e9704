package events_test

import (
	"fmt"
	"time"

	"apitoken/events"
)

// A history is verified with the events alone. Here details holds the events of
// one stream as a subscriber receives them, or as `apitoken audit export` prints
// them. The first event follows the zero Hash.
func ExampleVerifyMessages() {
	details := publishedEvents()

	var history []events.Message
	for _, detail := range details {
		m, err := events.ParseDetail(detail)
		if err != nil {
			fmt.Println("an event cannot be read:", err)
			return
		}
		history = append(history, m)
	}
	fmt.Println(len(history), "events, complete:", events.VerifyMessages(events.Hash{}, history) == nil)

	without := []events.Message{history[0], history[2]}
	fmt.Println("one event removed, complete:", events.VerifyMessages(events.Hash{}, without) == nil)

	history[1].Actor = "bob"
	fmt.Println("one event changed, complete:", events.VerifyMessages(events.Hash{}, history) == nil)
	// Output:
	// 3 events, complete: true
	// one event removed, complete: false
	// one event changed, complete: false
}

// publishedEvents returns three events of the user ann, as CloudEvents in JSON.
func publishedEvents() (details [][]byte) {
	keys, err := events.ParseKeys("k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
	if err != nil {
		panic(err)
	}
	facts := []events.Fact{
		events.TokenCreated{TokenID: "JhxND7ci", Owner: "ann", Creator: "ann", Name: "laptop"},
		events.TokenCreated{TokenID: "L7k8ljIC", Owner: "ann", Creator: "ann", Name: "ci"},
		events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"},
	}
	meta := events.Meta{Command: "command-1", Actor: "ann", At: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	commit, err := events.NewCommit(keys, events.UserStream("ann"), events.Head{}, meta, facts, 1, nil, events.Effect{})
	if err != nil {
		panic(err)
	}
	for _, r := range commit.Records() {
		m := r.Message()
		m.Deployment = "51af3dc0-da77-11e4-872e-1234567db123"
		detail, err := m.Detail()
		if err != nil {
			panic(err)
		}
		details = append(details, detail)
	}
	return details
}
