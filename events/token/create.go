package token

import (
	"net/netip"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/name"
)

const defaultNameEnd = "_api_token"

// minRecoveryLife is the least maximum lifetime of a recovery token. A holder of edit
// may have set one of a second by mistake or on purpose. Then every other token ends
// before anyone can use it to change the settings.
const minRecoveryLife = time.Hour

// check refuses a creation that no state of the owner's tokens allows.
func (c Create) check() error {
	if err := c.By.checkCredential(); err != nil {
		return err
	}
	if err := c.checkFields(); err != nil {
		return err
	}
	if err := c.By.checkHandOut(c.Owner, fieldUser); err != nil {
		return err
	}
	return c.By.checkBounds(c.Scopes, c.SourceIPs)
}

// checkFields refuses fields that are wrong for every maker.
func (c Create) checkFields() error {
	if err := name.ValidOwner(c.Owner); err != nil {
		return err
	}
	return c.Wish.check()
}

// expires returns the time when the token will end, zero for never. A wanted
// expiry is accepted unchanged or refused. Only the default is shortened, to the
// expiry of the maker's token.
func (c Create) expires() (time.Time, error) {
	l := lifetime{from: c.At, now: c.At, maximum: c.maximum(), makers: c.By.latestExpiry(c.Owner)}
	expires := c.Wish.expiry(c.At)
	if expires.IsZero() {
		expires = earlier(l.latest(), l.makers)
	}
	return expires, l.check(expires, c.expiryField())
}

// CheckView refuses a maker that may not get the secret of the token with this
// view. A caller that returns the secret of an earlier creation again calls it in
// place of Decide: since then the maker's own token may have got narrower bounds or
// an earlier expiry, or the new token wider ones.
func (c Create) CheckView(v events.View) error { return c.By.checkSecret(v) }

// maximum is the maximum lifetime of the token, zero if there is none.
func (c Create) maximum() time.Duration {
	if c.Policy.Expiration > 0 && c.isRecovery() {
		return max(c.Policy.Expiration, minRecoveryLife)
	}
	return c.Policy.Expiration
}

func (c Create) isRecovery() bool { return c.Recovery && c.By.Operator }

// create returns the fact, or why no token is created.
func create(s State, c Create) ([]events.Fact, error) {
	if s.Suspended {
		return nil, suspendedOwner()
	}
	if err := c.By.checkActing(s, c.At); err != nil {
		return nil, err
	}
	expires, err := c.expires()
	if err != nil {
		return nil, err
	}
	created := c.fact(expires)
	if err := CheckSize(viewOf(created, 1, c.At)); err != nil {
		return nil, err
	}
	if err := checkLimit(s, c); err != nil {
		return nil, err
	}
	if err := checkRate(s, c.Policy, c.By, c.At); err != nil {
		return nil, err
	}
	return []events.Fact{created}, nil
}

// checkLimit counts the tokens that are live at the time of the command. An
// expired token does not count, even if its expiry is not yet recorded.
func checkLimit(s State, c Create) error {
	limit, live := s.Limit(c.Policy), s.Live(c.At)
	if c.isRecovery() {
		limit = MaxTokenLimit + 1
	}
	if live < limit {
		return nil
	}
	r := refuse(CodeLimitReached, "", "the user has %d live tokens; at most %d are allowed", live, limit)
	r.Limit = &events.LimitReached{TokenLimit: limit, Live: live, SoonestExpiry: s.SoonestExpiry(c.At)}
	return r
}

func (c Create) fact(expires time.Time) events.TokenCreated {
	return events.TokenCreated{
		TokenID: c.ID, Owner: c.Owner, Creator: c.By.Owner,
		Name: nameOf(c.Wish, c.Owner), Description: c.Description, ExpiresAt: instant.Of(expires),
		Scopes: append([]string(nil), c.Scopes...), SourceIPs: append([]netip.Prefix(nil), c.SourceIPs...),
		MadeWith: c.madeWith(),
		Verifier: events.Verifier{Kid: c.Verifier.Kid, MAC: slices.Clone(c.Verifier.MAC)},
	}
}

// nameOf returns the wanted name, or else the default name that VAST documents.
// The default has only the beginning of an owner key that is too long for it.
func nameOf(w Wish, owner string) string {
	if w.Name != "" {
		return w.Name
	}
	return cutAtRune(owner, MaxName-len(defaultNameEnd)) + defaultNameEnd
}

// madeWith is the acting token if it is one of the owner, and for a session the token
// that opened it. A token of another owner is not in the owner's state, so no command
// finds it there; nor does one find a session.
func (c Create) madeWith() string {
	switch {
	case c.By.Operator || c.By.Owner != c.Owner:
		return ""
	case c.By.Session:
		return c.By.OpenedWith
	}
	return c.By.TokenID
}
