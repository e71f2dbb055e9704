package compare

import (
	"sync"

	"apitoken/events/audit"
)

// Once drops repeated findings: Stream and View may both find the same damaged
// view. Many goroutines may use one Once. The zero Once is ready for use.
type Once struct {
	mu   sync.Mutex
	seen map[audit.Finding]bool
}

// maxSeen bounds the memory of a Once. Later findings may be repeated.
const maxSeen = 10_000

// First returns the findings that it has not returned before.
func (o *Once) First(found ...audit.Finding) (first []audit.Finding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[audit.Finding]bool{}
	}
	for _, f := range found {
		if o.seen[f] {
			continue
		}
		if first = append(first, f); len(o.seen) < maxSeen {
			o.seen[f] = true
		}
	}
	return first
}
