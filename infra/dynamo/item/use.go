package item

import (
	"fmt"
	"strings"

	"apitoken/events"
)

// The attributes of a token's last use. Conditions and updates use their names.
const (
	UseAt      = "used_at"
	UseAddress = "address"
)

// ReadUse decodes a token's last use and returns it with the token's id.
func ReadUse(it Item) (id string, u events.Use, err error) {
	r := &reader{it: it}
	id, ok := strings.CutPrefix(r.mustText(PK), pkToken)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a token"))
	}
	u = events.Use{At: r.mustTime(UseAt), Address: r.text(UseAddress)}
	return id, u, r.err
}
