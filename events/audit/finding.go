package audit

import "fmt"

// Kind names a kind of disagreement.
type Kind string

const (
	Forged     Kind = "forged"      // an event does not match its own hash
	Differs    Kind = "differs"     // two contents have the same id
	Broken     Kind = "broken"      // an event does not continue the hash chain
	Gap        Kind = "gap"         // an event's predecessor never arrived
	RolledBack Kind = "rolled_back" // the log lacks an event that was copied
	Missing    Kind = "missing"     // the log has an event that was never copied
	Unsealed   Kind = "unsealed"    // the head was changed without the peppers
)

// Finding is one disagreement.
type Finding struct {
	Kind   Kind
	ID     string // of the event
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Kind, f.ID, f.Detail) }
