package events

import "errors"

// Place is a place in the order in which a store walks through its streams. "" is
// the beginning. Any other place names what was read last, and only a store of
// the kind that made it can read it: its bytes are not text.
type Place string

// ErrPlace: the place is not one that a store of this kind makes.
var ErrPlace = errors.New("not a place in the streams of this store")

// Stretch is a part of a walk through all streams.
type Stretch struct {
	Records []Record         // all of one stream together, ascending
	Damaged []*DamagedRecord // those in between that cannot be decoded
	More    bool             // there may be more records
	Next    Place            // the after of the next stretch, if More
}
