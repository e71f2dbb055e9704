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

// maxAction is the length in bytes that an action may have.
const maxAction = 2048

var actionForm = regexp.MustCompile(`^[A-Z]+ /[^\x00-\x20\x7f?#]*$`)

// Introspection is what is told about a credential. ID and what follows are
// empty unless the secret matched and the caller may view the token.
type Introspection struct {
	Active    bool
	Reason    string // the code with which the guard would refuse; empty if Active
	ID        string
	Owner     string
	Scopes    []string
	ExpiresAt time.Time
}

// Self is what a caller is told about itself.
type Self struct {
	Owner       string
	Permissions []string // actions on the realm security
}

// Introspect says whether a token (its whole text) would pass, for services
// that check for themselves: for the call action ("METHOD PATH"; empty: any),
// from the address source (invalid if unknown). Only the owner, and who may
// view others, is told about a token; for anybody else it is an unknown one. A
// token that passes is used thereby.
func (i *Issuer) Introspect(ctx context.Context, by guard.Principal, text, action string, source netip.Addr) (Introspection, error) {
	call, err := parseAction(action)
	if err != nil {
		return Introspection{}, err
	}
	t, err := secret.Parse(text)
	if err != nil {
		return Introspection{Reason: guard.CodeMalformed}, nil
	}
	f, err := i.guard.Inspect(ctx, t, source)
	if err != nil {
		return Introspection{}, fmt.Errorf("introspecting: %w: %w", ErrBusy, err)
	}
	set, err := i.settingsFor(ctx, by, f.View.Owner)
	if err != nil {
		return Introspection{}, err
	}
	if f.View.ID == "" || !mayView(by, set, f.View.Owner) {
		return Introspection{Reason: guard.CodeInvalid}, nil
	}
	return i.introspect(ctx, f, call), nil
}

// introspect answers about a token that the caller may view.
func (i *Issuer) introspect(ctx context.Context, f guard.Finding, c call) Introspection {
	p := f.Principal()
	answer := Introspection{ID: p.TokenID, Owner: p.Owner, Scopes: p.Scopes, ExpiresAt: p.ExpiresAt}
	switch {
	case f.Denial != nil:
		answer.Reason = f.Denial.Code
	case c.method != "" && !p.Allows(c.method, c.path):
		answer.Reason = guard.CodeOutOfScope
	default:
		answer.Active = true
		i.guard.Note(ctx, f)
	}
	return answer
}

// WhoAmI is the caller and what it may do to others.
func (i *Issuer) WhoAmI(ctx context.Context, by guard.Principal) (Self, error) {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return Self{}, err
	}
	return Self{Owner: by.Owner, Permissions: set.Actions(by.Owner)}, nil
}

// call is what somebody wants to do; without a method, nothing in particular.
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
