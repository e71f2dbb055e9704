package item

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ProbeNumber is the attribute with the number of an item of a probe.
const ProbeNumber = "n"

// ProbeKey returns the key of an item that infra/dynamo/probe writes and removes. It
// has no Kind: all readers ignore it.
func ProbeKey(name string) Item { return Key("PROBE#"+name, "PROBE") }

// Probe returns an item of a probe, which DynamoDB may delete after expires.
func Probe(name string, n uint64, expires time.Time) Item {
	it := ProbeKey(name)
	it[ProbeNumber] = Number(n)
	putTTL(it, expires)
	return it
}

// ProbeValue returns the number of an item of a probe, 0 if it has none.
func ProbeValue(it Item) uint64 {
	if v, ok := it[ProbeNumber].(*types.AttributeValueMemberN); ok {
		n, _ := strconv.ParseUint(v.Value, 10, 64)
		return n
	}
	return 0
}
