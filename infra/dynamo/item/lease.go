package item

import "apitoken/events/lease"

// The attributes of a lease that conditions use.
const (
	LeaseHolder = "holder"
	LeaseBeat   = "beat"
)

const leaseEnd = "end"

// LeaseKey returns the key of a lease.
func LeaseKey(name string) Item { return Key(pkLease+name, skLease) }

// Lease returns a lease as an item. It has no time to live: DynamoDB would remove it
// while it is in use, if the clock of its holder is slow.
func Lease(name string, e lease.Entry) Item {
	it := LeaseKey(name)
	putText(it, LeaseHolder, e.Holder)
	it[LeaseBeat] = Number(e.Beat)
	putTime(it, leaseEnd, e.End)
	return it
}

// ReadLease decodes an item of Lease.
func ReadLease(it Item) (lease.Entry, error) {
	r := &reader{it: it}
	return lease.Entry{Holder: r.mustText(LeaseHolder), Beat: r.mustNumber(LeaseBeat), End: r.mustTime(leaseEnd)}, r.err
}
