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
	"apitoken/events/secret"
	"apitoken/events/token"
)

// maxAction is the maximum length of an action in bytes.
const maxAction = 2048

var actionForm = regexp.MustCompile(`^[A-Z]+ /[^\x00-\x20\x7f?#]*$`)

// Introspection is the answer about one token. ID and the fields after it are
// empty unless the secret is right and the caller may view the token.
type Introspection struct {
	Active    bool
	Reason    string // the code of the guard's denial; empty if Active
	ID        string
	Owner     string
	Scopes    []string
	ExpiresAt time.Time
}

// Self is the answer to a caller about itself.
type Self struct {
	Owner       string
	Permissions []string // actions on the realm security
}

// Introspect answers whether a token would pass, for services that check tokens
// themselves. text is the whole token. action is a call, "METHOD PATH"; empty
// means any call. source is the address of the client; the zero address means
// unknown. Only the owner and callers who may view other users' tokens learn
// about the token. Other callers get the answer for an unknown token. A token
// that passes counts as used.
func (i *Issuer) Introspect(ctx context.Context, by guard.Principal, text, action string, source netip.Addr) (Introspection, error) {
	call, err := parseAction(action)
	if err != nil {
		return Introspection{}, err
	}
	t, err := secret.Parse(text)
	if err != nil {
		return Introspection{Reason: guard.CodeMalformed}, nil
	}
	found, err := i.guard.Inspect(ctx, t, source)
	if err != nil {
		return Introspection{}, fmt.Errorf("introspecting: %w", busyUnlessDamaged(err))
	}
	set, err := i.settingsFor(ctx, by, found.View.Owner)
	if err != nil {
		return Introspection{}, err
	}
	if found.View.ID == "" || !mayView(by, set, found.View.Owner) {
		return Introspection{Reason: guard.CodeInvalid}, nil
	}
	return i.introspection(ctx, found, call), nil
}

// introspection returns the answer about a token that the caller may view.
func (i *Issuer) introspection(ctx context.Context, found guard.Inspection, c call) Introspection {
	p := found.Principal()
	answer := Introspection{ID: p.TokenID, Owner: p.Owner, Scopes: p.Scopes, ExpiresAt: p.ExpiresAt}
	switch {
	case found.Denial != nil:
		answer.Reason = found.Denial.Code
	case c.method != "" && !p.Allows(c.method, c.path):
		answer.Reason = guard.CodeOutOfScope
	default:
		answer.Active = true
		i.guard.StoreUse(ctx, found)
	}
	return answer
}

// WhoAmI returns the caller and its permissions.
func (i *Issuer) WhoAmI(ctx context.Context, by guard.Principal) (Self, error) {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return Self{}, err
	}
	return Self{Owner: by.Owner, Permissions: set.Actions(by.Owner)}, nil
}

// call is a call that a token may allow; without a method it means any call.
type call struct{ method, path string }

func parseAction(action string) (call, error) {
	if action == "" {
		return call{}, nil
	}
	if len(action) <= maxAction && actionForm.MatchString(action) {
		method, path, _ := strings.Cut(action, " ")
		return call{method, path}, nil
	}
	return call{}, &events.Refusal{
		Code: token.CodeInvalidField, Field: "action",
		Detail: fmt.Sprintf("the action is not one call of at most %d bytes; allowed: a method in capital letters, a space and a path without query, like GET /v1/things/7", maxAction),
	}
}
