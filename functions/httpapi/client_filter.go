package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"apitoken/events/instant"
)

// Filter selects some of the tokens of a list. A page may have few entries or none,
// and still have a next page, because the service looks at 1000 tokens in one call
// at most. The zero Filter selects all tokens.
type Filter struct {
	Creator       string    // the user who made the token, as ListQuery.User, or API_OPERATOR_DOMAIN:operator; "": all
	ExpiresBefore time.Time // tokens with an earlier expiry; zero: all
	UnusedSince   time.Time // tokens with an earlier last use, or creation if they were never used; zero: all
	NeverExpires  *bool     // true: tokens without an expiry, false: tokens with one; nil: all
}

func (f Filter) addTo(query url.Values) {
	if f.Creator != "" {
		query.Set("creator", f.Creator)
	}
	if !f.ExpiresBefore.IsZero() {
		query.Set("expires_before", instant.Format(f.ExpiresBefore))
	}
	if !f.UnusedSince.IsZero() {
		query.Set("unused_since", instant.Format(f.UnusedSince))
	}
	if f.NeverExpires != nil {
		query.Set("never_expires", strconv.FormatBool(*f.NeverExpires))
	}
}

// GetInAnyState is Get of a token that may also be revoked.
func (c *Client) GetInAnyState(ctx context.Context, id string) (Entry, error) {
	var header http.Header
	e, err := askFor[Entry](ctx, c, &header, nil, http.MethodGet, itemPath(id), url.Values{"state": {"active,disabled,expired,revoked"}}, nil)
	e.ETag = header.Get("ETag")
	return e, err
}

// GetAt returns one token as it was at an instant, which is not in the future,
// without its last use. It returns a revoked token too. If the service does not know
// the token at this instant any more, the Problem has the code history_trimmed and
// FirstInstant.
func (c *Client) GetAt(ctx context.Context, id string, at time.Time) (Entry, error) {
	return ask[Entry](ctx, c, http.MethodGet, itemPath(id), atQuery(at), nil)
}

// GetSelfAt is GetAt of the client's own token. It needs no scope.
func (c *Client) GetSelfAt(ctx context.Context, at time.Time) (Entry, error) {
	return ask[Entry](ctx, c, http.MethodGet, selfPath, atQuery(at), nil)
}

func atQuery(at time.Time) url.Values { return url.Values{"at": {instant.Format(at)}} }
