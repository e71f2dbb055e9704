package item

import (
	"fmt"
	"strings"

	"apitoken/events"
)

// The attributes of a token's last use, which conditions and updates name.
const (
	UseAt      = "used_at"
	UseAddress = "address"
)

// ReadUse reads a token's last use, and says which token's.
func ReadUse(it Item) (id string, u events.Use, err error) {
	r := &reader{it: it}
	id, ok := strings.CutPrefix(r.mustText(PK), pkToken)
	if !ok {
		r.fail(PK, fmt.Errorf("it is not the partition of a token"))
	}
	u = events.Use{At: r.mustTime(UseAt), Address: r.text(UseAddress)}
	return id, u, r.err
}
