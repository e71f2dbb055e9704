package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"apitoken/events/guard"
	"apitoken/events/instant"
)

// The names of the members of the authorizer's context. Handlers get this
// context in requestContext.authorizer (format 1.0) or
// requestContext.authorizer.lambda (format 2.0). API Gateway passes scalars only,
// so lists are JSON text.
const (
	keyOwner       = "owner"
	keyTokenID     = "token_id"
	keyKind        = "kind"
	keyCredential  = "credential"
	keyRotation    = "rotation"
	keyPermissions = "permissions"
	keyVia         = "via"
	keyMakesUntil  = "makes_until"
	keyOpenedWith  = "opened_with"
	keyUI          = "ui"
	keyScopes      = "scopes"
	keyExpiresAt   = "expires_at"
	keySourceIPs   = "source_ips"
)

// Context returns the authorizer's context for the principal. All values are
// text: the owner key; the token's id; the kind (token or session) and which of the
// token's secrets was shown (current or outgoing); the sequence of the token's last
// rotation ("0" if there was none); the permissions of a session ("[]" for a token)
// and how it was opened ("" for a token); the end of what a session may make ("" if
// there is none, and for a token), the token that it was opened with ("" if none did),
// and whether it was opened at the page ("true" or ""); the token's scopes and source ranges as
// JSON arrays ("[]" means all calls, and any address); the token's expiry in the
// form of package instant ("" if it never expires). The token itself is not in the
// context.
func Context(p guard.Principal) map[string]any {
	ui := ""
	if p.UI {
		ui = isUI
	}
	return map[string]any{
		keyOwner: p.Owner, keyTokenID: p.TokenID, keyKind: p.Kind, keyCredential: p.Credential,
		keyRotation: strconv.FormatUint(p.Rotated, 10), keyPermissions: jsonList(p.Permissions), keyVia: p.Via,
		keyMakesUntil: timeText(p.MakesUntil), keyOpenedWith: p.From, keyUI: ui,
		keyScopes: jsonList(p.Scopes), keyExpiresAt: timeText(p.ExpiresAt), keySourceIPs: jsonList(p.SourceIPs),
	}
}

// isUI is the member ui of a session that was opened at the page.
const isUI = "true"

// timeText is a time in the form of package instant, "" for the zero time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return instant.Format(t)
}

func jsonList[T any](values []T) string {
	if len(values) == 0 {
		return "[]"
	}
	b, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("gateway: encoding %T: %v", values, err)) // strings and prefixes always encode
	}
	return string(b)
}

// errNoContext: the request did not pass our authorizer.
var errNoContext = errors.New("the authorizer's context is missing or incomplete")

// parsePrincipal reads the result of Context. It accepts only a complete
// context: an incomplete one is from another authorizer, and a missing list of
// scopes must never mean all calls. It refuses a principal of an unknown kind or
// credential, because no rule limits such a principal yet.
func parsePrincipal(context map[string]any) (p guard.Principal, err error) {
	var rotation, permissions, scopes, expires, makes, ui, sources string
	for name, into := range map[string]*string{
		keyOwner: &p.Owner, keyTokenID: &p.TokenID, keyKind: &p.Kind, keyCredential: &p.Credential, keyVia: &p.Via,
		keyRotation: &rotation, keyPermissions: &permissions, keyMakesUntil: &makes, keyOpenedWith: &p.From, keyUI: &ui,
		keyScopes: &scopes, keyExpiresAt: &expires, keySourceIPs: &sources,
	} {
		value, ok := context[name].(string)
		if !ok {
			return p, errNoContext
		}
		*into = value
	}
	if p.Owner == "" || p.TokenID == "" {
		return p, errNoContext
	}
	if p.Rotated, err = strconv.ParseUint(rotation, 10, 64); err != nil {
		return p, fmt.Errorf("authorizer context, %s: it must be a number", keyRotation)
	}
	if p.Permissions, err = parseList[string](keyPermissions, permissions); err != nil {
		return p, err
	}
	if p.Scopes, err = parseList[string](keyScopes, scopes); err != nil {
		return p, err
	}
	if p.SourceIPs, err = parseList[netip.Prefix](keySourceIPs, sources); err != nil {
		return p, err
	}
	if p.ExpiresAt, err = parseTime(keyExpiresAt, expires); err != nil {
		return p, err
	}
	if p.MakesUntil, err = parseTime(keyMakesUntil, makes); err != nil {
		return p, err
	}
	if p.UI = ui == isUI; !p.UI && ui != "" {
		return p, fmt.Errorf("authorizer context, %s: it must be %q or empty", keyUI, isUI)
	}
	return p, checkKind(p)
}

// parseTime reads the result of timeText.
func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := instant.Parse(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("authorizer context, %s: %w", name, err)
	}
	return t, nil
}

// checkKind accepts a token with one of its secrets, and a session. An outgoing secret
// always has an end, and so has a session. Only a session has permissions, a way to be
// opened, and a bound of its own; only one by a token has that token.
func checkKind(p guard.Principal) error {
	outgoing := p.Credential == guard.CredentialOutgoing && !p.ExpiresAt.IsZero()
	session := len(p.Permissions) > 0 || p.Via != "" || !p.MakesUntil.IsZero() || p.From != "" || p.UI
	switch {
	case p.Kind == guard.KindToken && (p.Credential == guard.CredentialCurrent || outgoing) && !session:
		return nil
	case p.Kind == guard.KindSession && p.Credential == guard.CredentialCurrent && !p.ExpiresAt.IsZero() && boundAsOpened(p):
		return nil
	}
	return fmt.Errorf("authorizer context: %s %q, %s %q until %q, %s %q, %s %q, %s %q and %s %q describe neither a token with one of its secrets nor a session",
		keyKind, p.Kind, keyCredential, p.Credential, p.ExpiresAt, keyPermissions, p.Permissions, keyVia, p.Via, keyMakesUntil, p.MakesUntil, keyOpenedWith, p.From)
}

// boundAsOpened reports whether the bounds of a session are those of its way to be
// opened. A context without the bound of an exchange would be one without a bound.
func boundAsOpened(p guard.Principal) bool {
	switch p.Via {
	case guard.ViaOIDC, guard.ViaPassword:
		return p.From == "" && p.Rotated == 0 && p.MakesUntil.IsZero()
	case guard.ViaExchange:
		return p.From == "" && p.Rotated == 0 && !p.MakesUntil.IsZero()
	case guard.ViaToken:
		return p.From != "" && len(p.Permissions) == 0
	}
	return false
}

// checkPrincipal refuses a principal of an expired token and of an owner that the
// service cannot have. A right to invoke the function is a right to choose the
// context, and a cache of API Gateway may keep a context longer than the token
// lives.
func (g *Gateway) checkPrincipal(p guard.Principal) error {
	if !p.ExpiresAt.IsZero() && !g.now().Before(p.ExpiresAt) {
		return fmt.Errorf("authorizer context: token %s has expired", p.TokenID)
	}
	if err := g.validOwner(p.Owner); err != nil {
		return fmt.Errorf("authorizer context: %w", err)
	}
	return nil
}

func parseList[T any](name, text string) (values []T, err error) {
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("authorizer context, %s: %w", name, err)
	}
	if values == nil {
		return nil, fmt.Errorf("authorizer context, %s: it must be a JSON array", name)
	}
	if len(values) == 0 {
		return nil, nil
	}
	return values, nil
}
