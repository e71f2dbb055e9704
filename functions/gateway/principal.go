package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events/guard"
)

// The names under which the authorizer tells the handlers behind it whom it let
// through: requestContext.authorizer in format 1.0, requestContext.authorizer.lambda
// in format 2.0. API Gateway passes on scalars only, so lists are JSON text.
const (
	keyOwner     = "owner"
	keyTokenID   = "token_id"
	keyScopes    = "scopes"
	keyExpiresAt = "expires_at"
	keySourceIPs = "source_ips"
)

// Context is the authorizer's context for the principal, all of it text: its
// owner key, its token's id and, as JSON arrays, its scopes and source ranges
// ("[]" is all calls, and anywhere), and the token's expiry in RFC 3339 ("" if
// it does not expire). The token itself is not in it.
func Context(p guard.Principal) map[string]any {
	expires := ""
	if !p.ExpiresAt.IsZero() {
		expires = p.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{
		keyOwner: p.Owner, keyTokenID: p.TokenID, keyExpiresAt: expires,
		keyScopes: list(p.Scopes), keySourceIPs: list(p.SourceIPs),
	}
}

func list[T any](values []T) string {
	if len(values) == 0 {
		return "[]"
	}
	b, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("gateway: encoding %T: %v", values, err)) // strings and prefixes always encode
	}
	return string(b)
}

// errNoContext: the request did not come through the authorizer.
var errNoContext = errors.New("no authorizer context")

// principal reads what Context wrote. All of it must be there: a context with
// parts missing is some other authorizer's, and a missing list of scopes must
// never be read as all scopes.
func principal(context map[string]any) (p guard.Principal, err error) {
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
		if p.ExpiresAt, err = time.Parse(time.RFC3339Nano, expires); err != nil {
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
		return nil, fmt.Errorf("authorizer context, %s: want a JSON array", name)
	}
	if len(values) == 0 {
		return nil, nil
	}
	return values, nil
}
