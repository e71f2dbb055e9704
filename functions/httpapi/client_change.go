package httpapi

import (
	"context"
	"net/http"
	"net/url"
)

// Update changes a token, and returns it after the change. An update that changes
// nothing returns it too.
func (c *Client) Update(ctx context.Context, id string, in UpdateRequest) (Entry, error) {
	return c.entry(ctx, ifMatchHeader(in.IfMatch), http.MethodPatch, itemPath(id), in)
}

// RevokeOptions say how a token is revoked. The zero RevokeOptions revoke it as it
// is, and no other token.
type RevokeOptions struct {
	IfMatch      string // the ETags that the token may have, as in the header If-Match; "": any
	WithChildren bool   // also ends the tokens of the same user that were made with it
}

// Revoke ends a live token. A revoked token can never be used again.
func (c *Client) Revoke(ctx context.Context, id string) error {
	return c.RevokeWith(ctx, id, RevokeOptions{})
}

// RevokeWith is Revoke with options.
func (c *Client) RevokeWith(ctx context.Context, id string, o RevokeOptions) error {
	return c.revoke(ctx, itemPath(id), o)
}

// RevokeSelf ends the client's own token. The client can make no more calls.
func (c *Client) RevokeSelf(ctx context.Context) error {
	return c.RevokeSelfWith(ctx, RevokeOptions{})
}

// RevokeSelfWith is RevokeSelf with options.
func (c *Client) RevokeSelfWith(ctx context.Context, o RevokeOptions) error {
	return c.revoke(ctx, selfPath, o)
}

func (c *Client) revoke(ctx context.Context, path string, o RevokeOptions) error {
	query := url.Values{}
	if o.WithChildren {
		query.Set("with_children", "true")
	}
	_, err := askWith[struct{}](ctx, c, ifMatchHeader(o.IfMatch), http.MethodDelete, path, query, nil)
	return err
}

func ifMatchHeader(tags string) http.Header {
	if tags == "" {
		return nil
	}
	return http.Header{matchHeader: {tags}}
}
