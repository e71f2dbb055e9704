package settings

import (
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
	MaxTokenLimit = 50
	// MaxChangeRate is the largest number of changes of an owner's tokens in an hour.
	MaxChangeRate = 1_000_000
	// MaxHolders is the largest number of users with permissions.
	MaxHolders = 500
)

// The codes of the refusals that only this package gives.
const (
	CodeLastEditHolder = "last_edit_holder"
	CodeTooManyHolders = "too_many_holders"
)

// Command is a wish to change the settings. The interface is sealed.
type Command interface{ command() }

// Grant gives a user exactly these actions. Without actions the user loses all.
type Grant struct {
	At      time.Time
	User    string // owner key
	Actions []string
}

// Change sets the members that are not nil.
type Change struct {
	At         time.Time
	TokenLimit *int           // 0 to MaxTokenLimit
	Expiration *time.Duration // whole seconds; 0: tokens need not expire
	Retention  *time.Duration // whole seconds; 0: for ever
	ChangeRate *int           // 0 to MaxChangeRate; 0: no limit
}

func (Grant) command()  {}
func (Change) command() {}

// Decide returns the facts that a command leads to, none if the settings have
// these values already. The error is an *events.Refusal. Wrong fields are
// refused first, then commands that a limit forbids.
func Decide(s State, c Command) ([]events.Fact, error) {
	switch c := c.(type) {
	case Grant:
		return grant(s, c)
	case Change:
		return change(s, c)
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
	switch {
	case slices.Equal(actions, s.Holders[c.User]):
		return nil, nil
	case onlyEditor(s, c.User) && !slices.Contains(actions, ActionEdit):
		return nil, refuse(CodeLastEditHolder, "actions", "the user is the last one with the permission edit; grant edit to another user first")
	case len(s.Holders[c.User]) == 0 && len(s.Holders) >= MaxHolders:
		return nil, refuse(CodeTooManyHolders, "user", "%d users have permissions, which is the maximum; take all permissions from one of them first", MaxHolders)
	}
	return []events.Fact{events.PermissionsChanged{User: c.User, Actions: actions}}, nil
}

// ordered returns the actions in their fixed order, each once.
func ordered(actions []string) ([]string, error) {
	for _, a := range actions {
		if !slices.Contains(Actions(), a) {
			return nil, refuse(token.CodeInvalidField, "actions", "an action is unknown; allowed: %s", strings.Join(Actions(), ", "))
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
	if err := upTo(MaxTokenLimit, "token_limit", c.TokenLimit); err != nil {
		return nil, err
	}
	if err := upTo(MaxChangeRate, "change_rate", c.ChangeRate); err != nil {
		return nil, err
	}
	if err := wholeSeconds("expiration_timeout", c.Expiration); err != nil {
		return nil, err
	}
	if err := wholeSeconds("retention", c.Retention); err != nil {
		return nil, err
	}
	f := events.SettingsChanged{
		TokenLimit: changedNumber(c.TokenLimit, s.TokenLimit), ChangeRate: changedNumber(c.ChangeRate, s.ChangeRate),
		Expiration: changedSeconds(c.Expiration, s.Expiration), Retention: changedSeconds(c.Retention, s.Retention),
	}
	if f == (events.SettingsChanged{}) {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

func upTo(most int, field string, n *int) error {
	if n != nil && (*n < 0 || *n > most) {
		return refuse(token.CodeInvalidField, field, "the %s is %d; allowed: 0 to %d", field, *n, most)
	}
	return nil
}

func wholeSeconds(field string, d *time.Duration) error {
	if d != nil && (*d < 0 || *d%time.Second != 0) {
		return refuse(token.CodeInvalidField, field, "the %s is %v; allowed: a whole number of seconds, 0 or more", field, *d)
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
