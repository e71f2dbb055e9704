package console

import (
	"net/http"
	"sync/atomic"
)

// changeCount counts the requests of a command that change something at the service. The
// message about an interruption says from it what may have changed.
type changeCount struct{ sent, answered atomic.Int32 }

// Count returns a transport that counts the changes in the requests that next sends.
func (e *Env) Count(next http.RoundTripper) http.RoundTripper { return counted{next, &e.changes} }

type counted struct {
	next http.RoundTripper
	*changeCount
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return c.next.RoundTrip(r)
	}
	c.sent.Add(1)
	answer, err := c.next.RoundTrip(r)
	if err == nil {
		c.answered.Add(1)
	}
	return answer, err
}

// interrupted says what the command may have changed, for a command that does not say
// so itself.
func (c *changeCount) interrupted() string {
	switch sent, answered := c.sent.Load(), c.answered.Load(); {
	case sent == 0:
		return ": nothing was changed at the service"
	case answered == sent:
		return ": the service has answered a change; look at its result before you run the command again"
	}
	return ": the service may have made the change, because its answer is missing; look before you run the command again (`apitoken show`, `list` or `history`)"
}
