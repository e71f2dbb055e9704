package issuer

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/scope"
	"apitoken/events/secret"
	"apitoken/events/token"
)

// ReasonActionMissing is the reason of an introspection that has no action,
// although the token has scopes: a service that forgets the action must not let
// every call pass.
const ReasonActionMissing = "action_missing"

// Introspection is the answer about one token. ID and the fields after it are
// empty unless the secret is right.
type Introspection struct {
	Active    bool
	Reason    string // the code of the guard's denial, or ReasonActionMissing; empty if Active
	ID        string
	Owner     string
	Scopes    []string
	ExpiresAt time.Time
}

// Caller is the answer to a caller about itself.
type Caller struct {
	Owner       string
	Permissions []string // actions on the realm security
}

// Introspect answers whether a token would pass, for services that check tokens
// themselves. text is the whole token. action is a call, "METHOD PATH"; a token
// with scopes does not pass without it. The calls of this service about the acting
// token need no scope (scope.IsAboutSelf). source is the address of the client; the
// zero address means unknown. Callers may ask about their own tokens. For every
// other text they need the permission view. Without it they get the same refusal
// for every token of another user, for an unknown token and for a text that is no
// token. A token that passes counts as used.
func (i *Issuer) Introspect(ctx context.Context, by guard.Principal, text, action string, source netip.Addr) (Introspection, error) {
	call, err := parseAction(action)
	if err != nil {
		return Introspection{}, err
	}
	t, malformed := secret.Parse(text)
	var found guard.Inspection
	if malformed == nil {
		if found, err = i.guard.Inspect(ctx, t, source); err != nil {
			return Introspection{}, fmt.Errorf("introspecting: %w", busyUnlessDamaged(err))
		}
	}
	set, err := i.settingsFor(ctx, by, found.View.Owner)
	if err != nil {
		return Introspection{}, err
	}
	switch {
	case !mayView(by, set, found.View.Owner):
		return Introspection{}, notOwn()
	case malformed != nil:
		return Introspection{Reason: guard.CodeMalformed}, nil
	case found.View.ID == "":
		return Introspection{Reason: guard.CodeInvalid}, nil
	}
	return i.introspection(ctx, found, action != "", call), nil
}

// notOwn is the refusal for a token that is not known to be one of the caller's
// own. It has one text for all such tokens.
func notOwn() error {
	return &events.Refusal{
		Code: token.CodePermissionDenied, Field: "token",
		Detail: `checking a text that is not one of your own tokens needs the permission view on the realm "security"`,
	}
}

// introspection returns the answer about a token that the caller may view. asked
// says whether the caller gave a call.
func (i *Issuer) introspection(ctx context.Context, found guard.Inspection, asked bool, call scope.Call) Introspection {
	p := found.Principal()
	answer := Introspection{ID: p.TokenID, Owner: p.Owner, Scopes: p.Scopes, ExpiresAt: p.ExpiresAt}
	switch {
	case found.Denial != nil:
		answer.Reason = found.Denial.Code
	case !asked && len(p.Scopes) > 0:
		answer.Reason = ReasonActionMissing
	case !p.Allows(call) && !scope.IsAboutSelf(call):
		answer.Reason = guard.CodeOutOfScope
	default:
		answer.Active = true
		i.guard.StoreUse(ctx, found)
	}
	return answer
}

// WhoAmI returns the caller and its permissions.
func (i *Issuer) WhoAmI(ctx context.Context, by guard.Principal) (Caller, error) {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Owner: by.Owner, Permissions: set.Actions(by.Owner)}, nil
}

// maxAction is the maximum length of an action in bytes.
const maxAction = 2048

var actionForm = regexp.MustCompile(`^[A-Z]+ /[^\x00-\x20\x7f?#]*$`)

// parseAction returns the call of an action, the zero Call if there is none.
func parseAction(action string) (scope.Call, error) {
	if action == "" {
		return scope.Call{}, nil
	}
	if len(action) <= maxAction && actionForm.MatchString(action) {
		method, path, _ := strings.Cut(action, " ")
		return scope.CallOf(method, path), nil
	}
	return scope.Call{}, &events.Refusal{
		Code: token.CodeInvalidField, Field: "action",
		Detail: fmt.Sprintf("the action is not one call of at most %d bytes; allowed: a method in capital letters, a space and a path without query, like GET /v1/things/7", maxAction),
	}
}
