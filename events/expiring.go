package events

import (
	"fmt"
	"time"
)

// Expiring is a token or a session that expires, as Expiries returns it.
type Expiring struct {
	TokenID   string
	Owner     string
	ExpiresAt time.Time
	Warned    int // days of Expiries.NoteWarning; 0: there is no note
}

// ExpiringPage is the largest number of tokens in one page of Expiries.Expiring.
const ExpiringPage = 1000

// DamagedEntries counts entries of an index that cannot be decoded. It keeps the
// first error only, because their number has no bound.
type DamagedEntries struct {
	n     int
	first error
}

// Add adds the error of one entry.
func (d *DamagedEntries) Add(err error) {
	if d.n++; d.n == 1 {
		d.first = err
	}
}

// Err returns an error that wraps ErrDamaged, or nil without entries. what names
// the index.
func (d *DamagedEntries) Err(what string) error {
	if d.n == 0 {
		return nil
	}
	return fmt.Errorf("%s has %d entries that cannot be read; the first: %w: %w", what, d.n, ErrDamaged, d.first)
}
