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
	Name        string   // displayed name of the person with a session; "" if unknown
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
	answer, err := i.introspect(ctx, by, text, action, source)
	if err == nil {
		i.introspected(answer.Reason)
	}
	return answer, err
}

func (i *Issuer) introspect(ctx context.Context, by guard.Principal, text, action string, source netip.Addr) (Introspection, error) {
	call, err := questionOf(action)
	if err != nil {
		return Introspection{}, err
	}
	found, reason, err := i.inspectFor(ctx, by, text, source)
	if err != nil || reason != "" {
		return Introspection{Reason: reason}, err
	}
	return i.introspection(ctx, found, action != "", call), nil
}

// inspectFor inspects a token for a caller who may ask about it. The reason is that
// of a text that is no token, of an unknown token and of a wrong secret. With a
// reason there is no inspection.
func (i *Issuer) inspectFor(ctx context.Context, by guard.Principal, text string, source netip.Addr) (found guard.Inspection, reason string, err error) {
	t, malformed := secret.Parse(text)
	if malformed == nil {
		if found, err = i.guard.Inspect(ctx, t, source); err != nil {
			return guard.Inspection{}, "", fmt.Errorf("introspecting: %w", busyUnlessDamaged(err))
		}
	}
	set, err := i.settingsFor(ctx, by, found.View.Owner)
	if err != nil {
		return guard.Inspection{}, "", err
	}
	switch {
	case !mayView(by, set, found.View.Owner):
		return guard.Inspection{}, "", notOwn()
	case malformed != nil:
		return guard.Inspection{}, guard.CodeMalformed, nil
	case found.View.ID == "":
		return guard.Inspection{}, guard.CodeInvalid, nil
	}
	return found, "", nil
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
func (i *Issuer) introspection(ctx context.Context, found guard.Inspection, asked bool, call guard.Question) Introspection {
	v := found.Judge(call)
	p := v.Principal
	answer := Introspection{ID: p.TokenID, Owner: p.Owner, Scopes: p.Scopes, ExpiresAt: p.ExpiresAt}
	switch {
	case !asked && v.Denial == guard.OutOfScope:
		answer.Reason = ReasonActionMissing
	case v.Denial != nil:
		answer.Reason = v.Denial.Code
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
	return Caller{Owner: by.Owner, Name: by.Name, Permissions: set.ActionsOf(callerOf(by))}, nil
}

// maxAction is the maximum length of an action in bytes.
const maxAction = 2048

var actionForm = regexp.MustCompile(`^[A-Z]+ /[^\x00-\x20\x7f?#]*$`)

// questionOf returns the question about the call of an action. Without an action, no
// scope allows the call.
func questionOf(action string) (guard.Question, error) {
	if action == "" {
		return guard.Question{}, nil
	}
	if len(action) <= maxAction && actionForm.MatchString(action) {
		method, path, _ := strings.Cut(action, " ")
		return guard.Question{Method: method, Path: path, Unscoped: scope.IsAboutSelf(scope.CallOf(method, path))}, nil
	}
	return guard.Question{}, &events.Refusal{
		Code: token.CodeInvalidField, Field: "action",
		Detail: fmt.Sprintf("the action is not one call of at most %d bytes; allowed: a method in capital letters, a space and a path without query, like GET /v1/things/7", maxAction),
	}
}
