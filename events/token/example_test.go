package token_test

import (
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// Decide returns the facts of a command, or a refusal. It reads no clock and no
// store: the command carries its time, its policy and the new token's id. Fold
// applies the facts to the state, so the next command sees them.
func ExampleDecide() {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	create := token.Create{
		At: now, Policy: token.Policy{TokenLimit: 1}, By: token.Maker{Owner: "ann"},
		ID: "JhxND7ci", Owner: "ann",
	}

	state := token.State{Owner: "ann"}
	facts, err := token.Decide(state, create)
	for _, fact := range facts {
		fmt.Printf("%T\n", fact)
		state = token.Fold(state, fact, now)
	}
	fmt.Println(state.Live(now), err)

	_, err = token.Decide(state, create) // a second token, and the limit is one
	if refusal, ok := errors.AsType[*events.Refusal](err); ok {
		fmt.Println(refusal.Code)
	}
	// Output:
	// events.TokenCreated
	// 1 <nil>
	// token_limit_reached
}
