package session

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/name"
	"apitoken/events/token"
)

// CodeSignInRate is the code of the refusal above MaxSignIns.
const CodeSignInRate = "sign_in_rate_exceeded"

// open returns the facts of a sign-in: the ends of the oldest sessions that one more
// does not leave room for, and the new session. Those that tokens and JWTs opened end
// first: a token that leaked must not end the sessions of the person.
func open(s State, c Open) ([]events.Fact, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.Suspended {
		return nil, Suspended()
	}
	if err := checkRate(s, c); err != nil {
		return nil, err
	}
	live := slices.Concat(
		s.selected(c.At, func(v events.View) bool { return !isPerson(v.Via) }),
		s.selected(c.At, func(v events.View) bool { return isPerson(v.Via) }))
	oldest := live[:max(0, len(live)-MaxSessions+1)]
	return append(closings(oldest, events.CauseReplaced), c.fact()), nil
}

// Suspended is the refusal of a sign-in of a suspended user.
func Suspended() error {
	return &events.Refusal{Code: token.CodeUserSuspended, Field: "user", Detail: "the user is suspended and cannot sign in; reinstate the user first"}
}

// check refuses a session that no state of the owner allows. The callers of this
// package have proved who signs in; this check only keeps what cannot be stored.
func (c Open) check() error {
	if err := name.ValidOwner(c.Owner); err != nil {
		return err
	}
	if err := name.CheckText("name", c.Name, MaxName); err != nil {
		return err
	}
	if err := token.ValidScopes(c.Scopes); err != nil {
		return err
	}
	vias := []string{events.ViaOIDC, events.ViaPassword, events.ViaToken, events.ViaExchange}
	switch {
	case !slices.Contains(vias, c.Via):
		return &events.Refusal{Code: token.CodeInvalidField, Field: "via", Detail: fmt.Sprintf("the way to sign in is unknown; allowed: %v", vias)}
	case len(c.Issuer) > MaxIssuer:
		return &events.Refusal{Code: token.CodeInvalidField, Field: "issuer", Detail: fmt.Sprintf("the URL of the issuer has %d bytes; at most %d are allowed", len(c.Issuer), MaxIssuer)}
	case !c.ends().After(c.At):
		return &events.Refusal{Code: token.CodeExpiryInPast, Detail: "what you sign in with has expired, at " + instant.Format(c.ends())}
	}
	return token.CheckSize(viewOf(c.fact(), 1, c.At))
}

// ends is the end of the session. A zero Until is the longest life.
func (c Open) ends() time.Time {
	latest := c.At.Add(MaxLife)
	if !c.Until.IsZero() && c.Until.Before(latest) {
		latest = c.Until
	}
	return instant.Cut(latest)
}

// makesUntil is the bound for what the session makes.
func (c Open) makesUntil() time.Time {
	if c.Bound {
		return c.ends()
	}
	return c.MakesUntil
}

func (c Open) fact() events.SessionOpened {
	return events.SessionOpened{
		TokenID: c.ID, Owner: c.Owner, Via: c.Via, Issuer: c.Issuer, SubjectDigest: c.SubjectDigest, Name: c.Name,
		ExpiresAt: instant.Of(c.ends()), MakesUntil: instant.Of(c.makesUntil()), Permissions: slices.Clone(c.Permissions),
		Scopes: append([]string(nil), c.Scopes...), SourceIPs: append([]netip.Prefix(nil), c.SourceIPs...),
		OpenedWith: c.OpenedWith, OpenedAfter: c.OpenedAfter, UI: c.UI,
		Verifier: events.Verifier{Kid: c.Verifier.Kid, MAC: slices.Clone(c.Verifier.MAC)},
	}
}

// isPerson reports whether a person signs in this way, and not a token or a JWT.
func isPerson(via string) bool { return via == events.ViaOIDC || via == events.ViaPassword }

// checkRate refuses a sign-in above MaxSignIns. The hours are fixed: they begin with
// the hours of the day in UTC.
func checkRate(s State, c Open) error {
	detail, n := "the user has signed in %d times since %s; at most %d sign-ins in an hour are allowed; try again at %s", s.SignIns
	if !isPerson(c.Via) {
		detail, n = "tokens and JWTs have opened %d sessions of the user since %s; at most %d in an hour are allowed; try again at %s", s.Others
	}
	if !s.Hour.Equal(hourOf(c.At)) || n < MaxSignIns {
		return nil
	}
	end := hourOf(c.At).Add(time.Hour)
	return &events.Refusal{
		Code: CodeSignInRate, RetryAt: end,
		Detail: fmt.Sprintf(detail, n, instant.Format(hourOf(c.At)), MaxSignIns, instant.Format(end)),
	}
}

// hourOf returns the start of the hour.
func hourOf(at time.Time) time.Time { return at.UTC().Truncate(time.Hour) }
