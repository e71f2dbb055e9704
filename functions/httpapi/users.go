package httpapi

import (
	"fmt"
	"time"

	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/settings"
	"apitoken/functions/httpapi/machine"
)

// Permissions are what a user may do on other users' tokens.
type Permissions struct {
	User        name.Identity `json:"user"`
	Permissions []string      `json:"permissions"` // of view, create, edit, delete; none: no permission
}

// Limit is the token limit of one user.
type Limit struct {
	User       name.Identity `json:"user"`
	TokenLimit *int          `json:"token_limit"`           // the user's own limit; nil: that of the settings
	Effective  int           `json:"effective_token_limit"` // the one that applies now
	LiveTokens int           `json:"live_tokens"`           // it may be above the limit: a lower limit ends nothing
	Suspended  bool          `json:"suspended"`             // as in a Suspension

	// ExpirationTimeout is the setting of this name, which every user may see here.
	ExpirationTimeout int64 `json:"expiration_timeout_seconds"`
}

// Suspension says whether a user is suspended.
type Suspension struct {
	User       name.Identity `json:"user"`
	Suspended  bool          `json:"suspended"`
	LiveTokens int           `json:"live_tokens"` // which a reinstatement brings back, unless they end before
}

// Offboarding is the result of an offboarding.
type Offboarding struct {
	Suspension
	EndedTokens int `json:"ended_tokens"` // by this call, without those that an earlier call ended
}

// user returns the owner key of the user in the path.
func (x exchange) user() (string, error) {
	owner, err := name.OwnerKey(x.Request.PathValue("user"))
	if err != nil {
		return "", fmt.Errorf("reading the user: %w", err)
	}
	return owner, nil
}

func (x exchange) permissions() (machine.Answer, error) {
	owner, err := x.user()
	if err != nil {
		return machine.Answer{}, err
	}
	actions, err := x.Config.Issuer.Permissions(x.Request.Context(), x.Principal, owner)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading the permissions of a user: %w", err)
	}
	return machine.Answer{Body: Permissions{User: name.IdentityOf(owner), Permissions: orEmpty(actions)}}, nil
}

func (x exchange) setPermissions() (machine.Answer, error) {
	owner, err := x.user()
	if err != nil {
		return machine.Answer{}, err
	}
	var actions []string
	if err := x.Decode(machine.Value(settings.FieldPermissions, "a list of view, create, edit, delete", &actions)); err != nil {
		return machine.Answer{}, err
	}
	if actions == nil { // an empty body must not take every permission
		return machine.Answer{}, machine.FieldProblem("invalid_field", settings.FieldPermissions, "is missing or null; give the list of all permissions that the user shall have, [] for none")
	}
	set, err := x.Config.Issuer.SetPermissions(x.Request.Context(), x.Principal, owner, actions)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing the permissions of a user: %w", err)
	}
	return machine.Answer{Body: Permissions{User: name.IdentityOf(owner), Permissions: orEmpty(set.Actions(owner))}}, nil
}

func (x exchange) limit() (machine.Answer, error) {
	a, err := x.account()
	return machine.Answer{Body: limitOf(a)}, err
}

// account reads the account of the user in the path.
func (x exchange) account() (issuer.Account, error) {
	owner, err := x.user()
	if err != nil {
		return issuer.Account{}, err
	}
	a, err := x.Config.Issuer.Account(x.Request.Context(), x.Principal, owner)
	if err != nil {
		return a, fmt.Errorf("reading the account of a user: %w", err)
	}
	return a, nil
}

func (x exchange) setLimit() (machine.Answer, error) {
	owner, err := x.user()
	if err != nil {
		return machine.Answer{}, err
	}
	var limit *int
	var given bool
	if err := x.Decode(machine.GivenOrNull("token_limit", "a whole number from 0 to 50, or null for that of the settings", &given, &limit)); err != nil {
		return machine.Answer{}, err
	}
	if !given {
		return machine.Answer{}, machine.FieldProblem("invalid_field", "token_limit", "is missing; give a whole number from 0 to 50, or null for that of the settings")
	}
	a, err := x.Config.Issuer.SetLimit(x.Request.Context(), x.Principal, owner, limit)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing the limit of a user: %w", err)
	}
	return machine.Answer{Body: limitOf(a)}, nil
}

func limitOf(a issuer.Account) Limit {
	return Limit{User: name.IdentityOf(a.Owner), TokenLimit: a.OwnLimit, Effective: a.TokenLimit, LiveTokens: a.Live, Suspended: a.Suspended, ExpirationTimeout: int64(a.Expiration / time.Second)}
}

func (x exchange) suspension() (machine.Answer, error) {
	a, err := x.account()
	return machine.Answer{Body: suspensionOf(a)}, err
}

func (x exchange) suspend() (machine.Answer, error) {
	owner, reason, err := x.userAndReason()
	if err != nil {
		return machine.Answer{}, err
	}
	a, err := x.Config.Issuer.Suspend(x.Request.Context(), x.Principal, owner, reason)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("suspending a user: %w", err)
	}
	return machine.Answer{Body: suspensionOf(a)}, nil
}

func (x exchange) reinstate() (machine.Answer, error) {
	owner, err := x.user()
	if err != nil {
		return machine.Answer{}, err
	}
	a, err := x.Config.Issuer.Reinstate(x.Request.Context(), x.Principal, owner, "")
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reinstating a user: %w", err)
	}
	return machine.Answer{Body: suspensionOf(a)}, nil
}

func (x exchange) offboard() (machine.Answer, error) {
	owner, reason, err := x.userAndReason()
	if err != nil {
		return machine.Answer{}, err
	}
	done, err := x.Config.Issuer.Offboard(x.Request.Context(), x.Principal, owner, reason)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("offboarding a user: %w", err)
	}
	return machine.Answer{Body: Offboarding{Suspension: suspensionOf(done.Account), EndedTokens: done.Ended}}, nil
}

// userAndReason reads the user in the path and the reason in the body.
func (x exchange) userAndReason() (owner, reason string, err error) {
	if owner, err = x.user(); err != nil {
		return "", "", err
	}
	if err := x.Decode(machine.Value("reason", "a string", &reason)); err != nil {
		return "", "", err
	}
	return owner, reason, machine.NoToken(machine.Text("reason", reason))
}

func suspensionOf(a issuer.Account) Suspension {
	return Suspension{User: name.IdentityOf(a.Owner), Suspended: a.Suspended, LiveTokens: a.Live}
}
