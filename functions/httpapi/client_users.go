package httpapi

import (
	"context"
	"net/http"
)

// Settings returns the settings of the service. It takes view or edit.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	return ask[Settings](ctx, c, http.MethodGet, settingsPath, nil, nil)
}

// ChangeSettings changes the settings that are not nil, and returns all settings.
// It takes edit. Other callers may see the settings before the change for 5 seconds.
func (c *Client) ChangeSettings(ctx context.Context, in SettingsChange) (Settings, error) {
	return ask[Settings](ctx, c, http.MethodPatch, settingsPath, nil, in)
}

// Permissions returns what a user, written as in ListQuery, may do on other users'
// tokens. For another user it takes view or edit.
func (c *Client) Permissions(ctx context.Context, user string) (Permissions, error) {
	return ask[Permissions](ctx, c, http.MethodGet, userPath(user)+"/permissions", nil, nil)
}

// SetPermissions gives a user exactly these permissions, of view, create, edit and
// delete. It takes edit, and each permission that it gives or takes.
func (c *Client) SetPermissions(ctx context.Context, user string, permissions []string) (Permissions, error) {
	in := map[string][]string{"permissions": orEmpty(permissions)}
	return ask[Permissions](ctx, c, http.MethodPut, userPath(user)+"/permissions", nil, in)
}

// Limit returns the token limit of a user. For another user it takes view or edit.
func (c *Client) Limit(ctx context.Context, user string) (Limit, error) {
	return ask[Limit](ctx, c, http.MethodGet, userPath(user)+"/limit", nil, nil)
}

// SetLimit gives a user a token limit of its own, 0 to 50; nil is that of the
// settings. It takes edit. A lower limit ends no token.
func (c *Client) SetLimit(ctx context.Context, user string, limit *int) (Limit, error) {
	return ask[Limit](ctx, c, http.MethodPut, userPath(user)+"/limit", nil, map[string]*int{"token_limit": limit})
}

// Suspension returns whether a user is suspended. For another user it takes view or
// edit.
func (c *Client) Suspension(ctx context.Context, user string) (Suspension, error) {
	return ask[Suspension](ctx, c, http.MethodGet, userPath(user)+"/suspension", nil, nil)
}

// Suspend makes all tokens of a user useless from the next call on. It takes edit,
// and may be repeated.
func (c *Client) Suspend(ctx context.Context, user, reason string) (Suspension, error) {
	return ask[Suspension](ctx, c, http.MethodPut, userPath(user)+"/suspension", nil, map[string]string{"reason": reason})
}

// Reinstate ends a suspension. Tokens that ended meanwhile stay ended. It takes edit,
// and may be repeated.
func (c *Client) Reinstate(ctx context.Context, user string) (Suspension, error) {
	return ask[Suspension](ctx, c, http.MethodDelete, userPath(user)+"/suspension", nil, nil)
}

// Offboard suspends a user and ends all tokens of the user for ever. It takes edit
// and delete. After an error some tokens may have ended; repeat it.
func (c *Client) Offboard(ctx context.Context, user, reason string) (Offboarding, error) {
	return ask[Offboarding](ctx, c, http.MethodPost, userPath(user)+"/offboard", nil, map[string]string{"reason": reason})
}

func userPath(user string) string { return "/v1/users/" + segment(user) }
