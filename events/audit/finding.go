package audit

import "fmt"

// Kind names a kind of disagreement.
type Kind string

const (
	Forged     Kind = "forged"      // an event does not match its own hash
	Differs    Kind = "differs"     // two contents have the same id, or a view or head differs from the events
	Broken     Kind = "broken"      // an event does not continue the hash chain
	Gap        Kind = "gap"         // an event's predecessor never arrived
	RolledBack Kind = "rolled_back" // the log lacks an event that was copied, or a view is older than the last event about it
	Missing    Kind = "missing"     // the log has an event that was never copied
	Unsealed   Kind = "unsealed"    // the head was changed without the peppers
	Damaged    Kind = "damaged"     // an item cannot be decoded, or a view was changed without the peppers
	WrongMAC   Kind = "wrong_mac"   // the MAC of a record or a copy was not made with the peppers

	UnknownPepper Kind = "unknown_pepper" // a seal or a MAC names a pepper that was not given
	MissingView   Kind = "missing_view"   // a token has no view, and its retention is not over
	UncopiedView  Kind = "uncopied_view"  // no copy names the token of a view
)

// Finding is one disagreement.
type Finding struct {
	Kind   Kind
	ID     string // of the event, or token/ID for a view
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Kind, f.ID, f.Detail) }

// View returns a finding about the view of a token.
func View(k Kind, tokenID, detail string) Finding { return Finding{k, "token/" + tokenID, detail} }
