package httpapi

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"apitoken/events"
	"apitoken/functions/httpapi/machine"
)

// allEvents answers one page of the events of all streams.
func (x exchange) allEvents() (machine.Answer, error) {
	limit, err := pageLimit(x.Query)
	if err != nil {
		return machine.Answer{}, err
	}
	deployment := deploymentDigest(x.Config.Deployment)
	after, err := place(x.Query, deployment)
	if err != nil {
		return machine.Answer{}, err
	}
	page, err := x.Config.Issuer.AllEvents(x.Request.Context(), x.Principal, after, limit)
	switch {
	case errors.Is(err, events.ErrPlace):
		return machine.Answer{}, badCursor()
	case err != nil:
		return machine.Answer{}, fmt.Errorf("reading all events: %w", err)
	}
	out := EventsPage{Damaged: orEmpty(page.Damaged)}
	if out.Entries, err = x.details(page.Events); err != nil {
		return machine.Answer{}, err
	}
	if page.More {
		out.Paging = x.next(placeCursor(deployment, page.Next))
	}
	return machine.Answer{Body: out}, nil
}

// details returns events as they were published.
func (x exchange) details(ms []events.Message) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(ms))
	for i, m := range ms {
		var err error
		m.Deployment = x.Config.Deployment
		if out[i], err = m.Detail(); err != nil {
			return nil, fmt.Errorf("showing an event: %w", err)
		}
	}
	return out, nil
}

// A cursor of all events is a version byte, the digest of the deployment, and a
// place. It names the item of the store that was read last. Only holders of view
// get one. It grants no access: with an invented cursor such a caller only begins
// at another place.
const placeV = 3

// deploymentDigest names the deployment of which the cursor is: another one has
// other places, or the same places and other streams.
func deploymentDigest(deployment string) (d listDigest) {
	sum := sha256.Sum256([]byte("events of " + deployment))
	copy(d[:], sum[:])
	return d
}

func placeCursor(deployment listDigest, p events.Place) string {
	b := append([]byte{placeV}, deployment[:]...)
	return cursorText.EncodeToString(append(b, p...))
}

// place reads the parameter after of all events. A text with line ends is refused by
// itself, because the decoder skips them.
func place(q url.Values, deployment listDigest) (events.Place, error) {
	if !q.Has("after") {
		return "", nil
	}
	text := q.Get("after")
	b, err := cursorText.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) <= 1+digestSize || b[0] != placeV {
		return "", badCursor()
	}
	if listDigest(b[1:1+digestSize]) != deployment {
		return "", machine.FieldProblem("invalid_parameter", "after", "belongs to another deployment; leave it out to start at the first page")
	}
	return events.Place(b[1+digestSize:]), nil
}
