package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

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
	keyScopes      = "scopes"
	keyExpiresAt   = "expires_at"
	keySourceIPs   = "source_ips"
)

// Context returns the authorizer's context for the principal. All values are
// text: the owner key; the token's id; the kind (guard.KindToken) and which of the
// token's secrets was shown (current or outgoing); the sequence of the token's last
// rotation ("0" if there was none); the permissions of a session ("[]" for a token)
// and how it was opened ("" for a token); the token's scopes and source ranges as
// JSON arrays ("[]" means all calls, and any address); the token's expiry in the
// form of package instant ("" if it never expires). The token itself is not in the
// context.
func Context(p guard.Principal) map[string]any {
	expires := ""
	if !p.ExpiresAt.IsZero() {
		expires = instant.Format(p.ExpiresAt)
	}
	return map[string]any{
		keyOwner: p.Owner, keyTokenID: p.TokenID, keyKind: p.Kind, keyCredential: p.Credential,
		keyRotation: strconv.FormatUint(p.Rotated, 10), keyPermissions: jsonList(p.Permissions), keyVia: p.Via,
		keyScopes: jsonList(p.Scopes), keyExpiresAt: expires, keySourceIPs: jsonList(p.SourceIPs),
	}
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
	var rotation, permissions, scopes, expires, sources string
	for name, into := range map[string]*string{
		keyOwner: &p.Owner, keyTokenID: &p.TokenID, keyKind: &p.Kind, keyCredential: &p.Credential, keyVia: &p.Via,
		keyRotation: &rotation, keyPermissions: &permissions, keyScopes: &scopes, keyExpiresAt: &expires, keySourceIPs: &sources,
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
	if expires != "" {
		if p.ExpiresAt, err = instant.Parse(expires); err != nil {
			return p, fmt.Errorf("authorizer context, %s: %w", keyExpiresAt, err)
		}
	}
	return p, checkKind(p)
}

// checkKind accepts a token with one of its secrets. An outgoing secret always
// has an end. Only a session has permissions of its own.
func checkKind(p guard.Principal) error {
	known := p.Credential == guard.CredentialCurrent || p.Credential == guard.CredentialOutgoing && !p.ExpiresAt.IsZero()
	if p.Kind != guard.KindToken || !known || len(p.Permissions) > 0 || p.Via != "" {
		return fmt.Errorf("authorizer context: %s %q, %s %q until %q, %s %q and %s %q do not describe a token with one of its secrets",
			keyKind, p.Kind, keyCredential, p.Credential, p.ExpiresAt, keyPermissions, p.Permissions, keyVia, p.Via)
	}
	return nil
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
