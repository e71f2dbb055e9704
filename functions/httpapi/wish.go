package httpapi

import (
	"fmt"
	"strings"
	"time"

	"apitoken/events/name"
	"apitoken/events/token"
)

// wishBody has the members of a body that say what a token shall be, as text.
type wishBody struct {
	name, description         string
	expirationTime, expiresIn string
	scopes, sourceIPs         []string
}

// The allowed values of the members of a wish, for people.
const (
	wantName           = "a string"
	wantDescription    = "a string"
	wantExpirationTime = "a string: a time in RFC 3339, like 2030-01-20T00:00:00Z"
	wantExpiresIn      = "a string: a number and a unit, like 180D"
	wantScopes         = "a list of strings"
	wantSourceIPs      = "a list of strings"
)

// wish returns the wish for the token. It refuses a text that contains a token.
func (b wishBody) wish() (w token.Wish, err error) {
	err = noToken(
		text{"name", b.name}, text{"description", b.description}, text{"expiration_time", b.expirationTime}, text{"expires_in", b.expiresIn},
		text{"scopes", strings.Join(b.scopes, " ")}, text{"source_ips", strings.Join(b.sourceIPs, " ")},
	)
	if err != nil {
		return w, err
	}
	w = token.Wish{Name: b.name, Description: b.description, Scopes: b.scopes}
	if w.ExpiresAt, w.ExpiresIn, err = expiry(b.expirationTime, b.expiresIn); err != nil {
		return w, err
	}
	if w.SourceIPs, err = token.ParseSourceIPs(b.sourceIPs); err != nil {
		return w, fmt.Errorf("reading the source ranges: %w", err)
	}
	return w, nil
}

// createBody reads the body of a create: the owner key of the user ("": the
// caller), and the wish for the token.
func (x *exchange) createBody() (owner string, w token.Wish, err error) {
	var user name.Identity
	var named bool
	var b wishBody
	err = x.decode(
		member{"user", "an object: the identity of the user", nested{&named, identityMembers(&user)}},
		member{"name", wantName, &b.name},
		member{"description", wantDescription, &b.description},
		member{"expiration_time", wantExpirationTime, &b.expirationTime},
		member{"expires_in", wantExpiresIn, &b.expiresIn},
		member{"scopes", wantScopes, &b.scopes},
		member{"source_ips", wantSourceIPs, &b.sourceIPs},
	)
	if err != nil {
		return owner, w, err
	}
	err = noToken(
		text{"user.domain", user.Domain}, text{"user.name", user.Name}, text{"user.auth_id", user.AuthID}, text{"user.sid", user.SID},
	)
	if err != nil {
		return owner, w, err
	}
	if named {
		if owner, err = user.Key(); err != nil {
			return owner, w, fmt.Errorf("reading the user: %w", err)
		}
	}
	w, err = b.wish()
	return owner, w, err
}

// expiry reads the two members that set the end of a token: a time, or a
// lifetime. A member that is "" sets nothing.
func expiry(at, in string) (ends time.Time, lifetime time.Duration, err error) {
	switch {
	case at != "" && in != "":
		return ends, 0, bothExpiries()
	case at != "":
		ends, err = token.ParseExpirationTime(at)
		if err != nil {
			return ends, 0, fmt.Errorf("reading the expiration time: %w", err)
		}
	case in != "":
		lifetime, err = token.ParseLifetime(in)
		if err != nil {
			return ends, 0, fmt.Errorf("reading the lifetime: %w", err)
		}
	}
	return ends, lifetime, nil
}

func bothExpiries() *Problem {
	return fieldProblem("invalid_field", "expires_in", "and expiration_time are both given; only one of them is allowed")
}
