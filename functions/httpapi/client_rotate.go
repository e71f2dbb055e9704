package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
)

// Rotate gives a token a new secret. Only this answer contains it. The secret
// before works for the grace. Like Create, Rotate sends the request again with the
// same Idempotency-Key if no answer arrives, so it never rotates twice. If the last
// try has no answer either, the token may be rotated: another call with the same
// in.Key gets the answer then.
func (c *Client) Rotate(ctx context.Context, id string, in RotateRequest) (Created, error) {
	return c.rotate(ctx, itemPath(id), in)
}

// RotateSelf rotates the client's own token. The client keeps the secret before,
// which now can do one thing: RotateSelf with the same in.Key and Grace gets the
// same answer, until the end of the grace. Make a new client with the new token.
func (c *Client) RotateSelf(ctx context.Context, in RotateRequest) (Created, error) {
	return c.rotate(ctx, selfPath, in)
}

func (c *Client) rotate(ctx context.Context, path string, in RotateRequest) (Created, error) {
	header := http.Header{keyHeader: {cmp.Or(in.Key, rand.Text())}}
	if in.IfMatch != "" {
		header.Set(matchHeader, in.IfMatch)
	}
	return retried(ctx, c.retryWait, func() (Created, error) {
		var answer http.Header
		made, err := askFor[Created](ctx, c, &answer, header, http.MethodPost, path+"/rotate", nil, in)
		made.Replayed = isReplayed(answer)
		return made, err
	})
}
