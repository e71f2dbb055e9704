package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/name"
	"apitoken/events/token"
)

const (
	// MaxTokenLimit is the largest token limit of an owner.
	MaxTokenLimit = token.MaxTokenLimit
	// MaxChangeRate is the largest number of changes of an owner's tokens in an hour.
	MaxChangeRate = 1_000_000
	// MaxHolders is the largest number of users with permissions. It does not bind an
	// operator: a holder of edit could otherwise fill it and lock the operator out.
	MaxHolders = 500
	// MaxWarnings is the largest number of warnings before an expiry.
	MaxWarnings = 10
	// MaxWarningDays is the earliest warning, in days before an expiry.
	MaxWarningDays = 365
)

// The codes of the refusals that only this package gives.
const (
	CodeLastEditHolder = token.CodeLastEditHolder
	CodeTooManyHolders = "too_many_holders"
)

// The members of a request that the refusals name, besides token_limit, change_rate
// and warning_days. Durations are whole seconds there, as in the events.
const (
	FieldExpiration  = "expiration_timeout_seconds"
	FieldRetention   = "retention_seconds"
	FieldGrace       = "rotation_grace_seconds"
	FieldPermissions = "permissions"
)

// Command is a wish to change the settings. The interface is sealed.
type Command interface{ command() }

// Grant gives a user exactly these actions. Without actions the user loses all.
// It takes edit, and the maker must hold every action that it gives or takes.
type Grant struct {
	At      time.Time
	By      token.Maker // only its owner, its session's permissions, its credential and whether it is an operator matter
	User    string      // owner key
	Actions []string
}

// Change sets the members that are not nil. It takes edit.
type Change struct {
	At         time.Time
	By         token.Maker    // as in Grant
	TokenLimit *int           // 0 to MaxTokenLimit
	Expiration *time.Duration // whole seconds; 0: tokens need not expire
	Retention  *time.Duration // whole seconds; 0: for ever
	ChangeRate *int           // 0 to MaxChangeRate; 0: no limit

	RotationGrace *time.Duration // whole seconds, 0 to token.MaxGrace
	WarningDays   *[]int         // in any order; none: no warnings
}

// MapGroup lets a group of an identity provider give exactly these actions to the
// sessions of its members, from their next sign-in. Without actions the group gives
// none. It takes edit, and the maker must hold every action that it gives or takes.
type MapGroup struct {
	At      time.Time
	By      token.Maker // as in Grant
	Alias   string      // of the identity provider
	Group   string      // as the provider names it
	Actions []string
}

func (Grant) command()    {}
func (Change) command()   {}
func (MapGroup) command() {}

// Decide returns the facts that a command leads to, none if the settings have
// these values already. The error is an *events.Refusal. Wrong fields are
// refused first, then commands that the maker may not give, then commands that a
// limit forbids.
func Decide(s State, c Command) ([]events.Fact, error) {
	switch c := c.(type) {
	case Grant:
		return grant(s, c)
	case Change:
		return change(s, c)
	case MapGroup:
		return mapGroup(s, c)
	}
	panic(fmt.Sprintf("settings: command of unknown type %T", c))
}

func grant(s State, c Grant) ([]events.Fact, error) {
	if err := name.ValidOwner(c.User); err != nil {
		return nil, err
	}
	actions, err := ordered(c.Actions)
	if err != nil {
		return nil, err
	}
	if err := checkMaker(s, c.By, changedActions(actions, s.Holders[c.User])); err != nil {
		return nil, err
	}
	switch {
	case slices.Equal(actions, s.Holders[c.User]):
		return nil, nil
	case !c.By.Operator && c.By.Owner == c.User && slices.ContainsFunc(actions, func(a string) bool { return !s.Holds(c.User, a) }):
		return nil, refuse(token.CodePermissionDenied, FieldPermissions, "you cannot give yourself an action that only your session has, from your groups; another user with the permission edit can")
	case onlyEditor(s, c.User) && !slices.Contains(actions, ActionEdit):
		return nil, LastEditor()
	case len(s.Holders[c.User]) == 0 && len(s.Holders) >= MaxHolders && !c.By.Operator:
		return nil, refuse(CodeTooManyHolders, "user", "%d users have permissions, which is the maximum; take all permissions from one of them first", MaxHolders)
	}
	return []events.Fact{events.PermissionsChanged{User: c.User, Actions: actions}}, nil
}

// LastEditor is the refusal to take edit from its last holder.
func LastEditor() error {
	return refuse(CodeLastEditHolder, FieldPermissions, "the user is the last one with the permission edit who is not suspended; grant edit to another user first")
}

// checkMaker refuses a maker that does not hold edit, or that gives or takes an
// action that it does not hold. So no holder gains an action by giving it away, and
// no holder takes an action that only others can give back.
func checkMaker(s State, m token.Maker, actions []string) error {
	c := Caller{Owner: m.Owner, Session: m.Permissions}
	switch lacking := slices.DeleteFunc(actions, func(a string) bool { return s.May(c, a) }); {
	case m.Outgoing:
		return refuse(token.CodeDeniedByCredential, "", "a secret that a rotation has replaced changes no settings; use the new secret")
	case m.Operator:
		return nil
	case !s.May(c, ActionEdit):
		return refuse(token.CodePermissionDenied, "", `changing settings and permissions needs the permission edit on the realm "security"`)
	case len(lacking) > 0:
		return refuse(token.CodePermissionDenied, FieldPermissions, `you do not have the permission %s on the realm "security", so you can neither give nor take it`, lacking[0])
	}
	return nil
}

// changedActions returns the actions that are in one of the lists only.
func changedActions(a, b []string) []string {
	return slices.DeleteFunc(Actions(), func(action string) bool { return slices.Contains(a, action) == slices.Contains(b, action) })
}

// ordered returns the actions in their fixed order, each once.
func ordered(actions []string) ([]string, error) {
	for _, a := range actions {
		if !slices.Contains(Actions(), a) {
			return nil, refuse(token.CodeInvalidField, FieldPermissions, "an action is unknown; allowed: %s", strings.Join(Actions(), ", "))
		}
	}
	return slices.DeleteFunc(Actions(), func(a string) bool { return !slices.Contains(actions, a) }), nil
}

func onlyEditor(s State, user string) bool {
	for holder := range s.Holders {
		if holder != user && s.Holds(holder, ActionEdit) {
			return false
		}
	}
	return s.Holds(user, ActionEdit)
}

func change(s State, c Change) ([]events.Fact, error) {
	if err := c.checkFields(); err != nil {
		return nil, err
	}
	if err := checkMaker(s, c.By, nil); err != nil {
		return nil, err
	}
	f := events.SettingsChanged{
		TokenLimit: changedNumber(c.TokenLimit, s.TokenLimit), ChangeRate: changedNumber(c.ChangeRate, s.ChangeRate),
		Expiration: changedSeconds(c.Expiration, s.Expiration), Retention: changedSeconds(c.Retention, s.Retention),
		RotationGrace: changedSeconds(c.RotationGrace, s.RotationGrace), WarningDays: changedDays(c.WarningDays, s.WarningDays),
	}
	if f == (events.SettingsChanged{}) {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

// checkFields refuses values that are wrong for every maker.
func (c Change) checkFields() error {
	return cmp.Or(
		upTo(MaxTokenLimit, "token_limit", c.TokenLimit),
		upTo(MaxChangeRate, "change_rate", c.ChangeRate),
		wholeSeconds(FieldExpiration, c.Expiration),
		wholeSeconds(FieldRetention, c.Retention),
		wholeSeconds(FieldGrace, c.RotationGrace),
		validGrace(c.RotationGrace),
		validDays(c.WarningDays),
	)
}

func validGrace(d *time.Duration) error {
	if d != nil && *d > token.MaxGrace {
		return refuse(token.CodeInvalidField, FieldGrace, "the %s is %d; allowed: at most %d", FieldGrace, *d/time.Second, token.MaxGrace/time.Second)
	}
	return nil
}

func validDays(days *[]int) error {
	if days == nil {
		return nil
	}
	if len(*days) > MaxWarnings {
		return refuse(token.CodeInvalidField, "warning_days", "there are %d warning_days; at most %d are allowed", len(*days), MaxWarnings)
	}
	for i, d := range *days {
		if d < 1 || d > MaxWarningDays || slices.Contains((*days)[:i], d) {
			return refuse(token.CodeInvalidField, "warning_days", "%d among the warning_days is too small, too large, or there twice; allowed: different numbers from 1 to %d", d, MaxWarningDays)
		}
	}
	return nil
}

// changedDays is the wanted list in descending order, nil if it is the current
// one.
func changedDays(wanted *[]int, current []int) *[]int {
	if wanted == nil {
		return nil
	}
	days := append([]int{}, *wanted...)
	slices.SortFunc(days, func(a, b int) int { return b - a })
	if slices.Equal(days, current) {
		return nil
	}
	return &days
}

func upTo(most int, field string, n *int) error {
	if n != nil && (*n < 0 || *n > most) {
		return refuse(token.CodeInvalidField, field, "the %s is %d; allowed: 0 to %d", field, *n, most)
	}
	return nil
}

func wholeSeconds(field string, d *time.Duration) error {
	if d != nil && (*d < 0 || *d%time.Second != 0) {
		return refuse(token.CodeInvalidField, field, "the %s is %v; allowed: a whole number, 0 or more", field, d.Seconds())
	}
	return nil
}

// changedNumber is the wanted number, nil if it is the current one.
func changedNumber(wanted *int, current int) *int {
	if wanted == nil || *wanted == current {
		return nil
	}
	return new(*wanted)
}

// changedSeconds is the wanted duration in seconds, nil if it is the current one.
func changedSeconds(wanted *time.Duration, current time.Duration) *int64 {
	if wanted == nil || *wanted == current {
		return nil
	}
	return new(int64(*wanted / time.Second))
}

func refuse(code, field, format string, args ...any) *events.Refusal {
	return &events.Refusal{Code: code, Field: field, Detail: fmt.Sprintf(format, args...)}
}
