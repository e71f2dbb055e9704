package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"apitoken/events/guard"
	"apitoken/events/instant"
)

// The names of the members of the authorizer's context. Handlers get this
// context in requestContext.authorizer (format 1.0) or
// requestContext.authorizer.lambda (format 2.0). API Gateway passes scalars only,
// so lists are JSON text.
const (
	keyOwner     = "owner"
	keyTokenID   = "token_id"
	keyScopes    = "scopes"
	keyExpiresAt = "expires_at"
	keySourceIPs = "source_ips"
)

// Context returns the authorizer's context for the principal. All values are
// text: the owner key; the token's id; the token's scopes and source ranges as
// JSON arrays ("[]" means all calls, and any address); the token's expiry in
// the form of package instant ("" if it never expires). The token itself is not in the context.
func Context(p guard.Principal) map[string]any {
	expires := ""
	if !p.ExpiresAt.IsZero() {
		expires = instant.Format(p.ExpiresAt)
	}
	return map[string]any{
		keyOwner: p.Owner, keyTokenID: p.TokenID, keyExpiresAt: expires,
		keyScopes: jsonList(p.Scopes), keySourceIPs: jsonList(p.SourceIPs),
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
// scopes must never mean all calls.
func parsePrincipal(context map[string]any) (p guard.Principal, err error) {
	var owner, id, scopes, expires, sources string
	for name, into := range map[string]*string{
		keyOwner: &owner, keyTokenID: &id, keyScopes: &scopes, keyExpiresAt: &expires, keySourceIPs: &sources,
	} {
		value, ok := context[name].(string)
		if !ok {
			return p, errNoContext
		}
		*into = value
	}
	if owner == "" || id == "" {
		return p, errNoContext
	}
	p = guard.Principal{Owner: owner, TokenID: id}
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
	return p, nil
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
