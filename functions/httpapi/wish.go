package httpapi

import (
	"fmt"
	"strings"
	"time"

	"apitoken/events/name"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
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
	err = machine.NoToken(
		machine.Text("name", b.name), machine.Text("description", b.description), machine.Text("expiration_time", b.expirationTime), machine.Text("expires_in", b.expiresIn),
		machine.Text("scopes", strings.Join(b.scopes, " ")), machine.Text("source_ips", strings.Join(b.sourceIPs, " ")),
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
func (x exchange) createBody() (owner string, w token.Wish, err error) {
	var user name.Identity
	var named bool
	var b wishBody
	err = x.Decode(
		machine.Object("user", "an object: the identity of the user", &named, identityMembers(&user)...),
		machine.Value("name", wantName, &b.name),
		machine.Value("description", wantDescription, &b.description),
		machine.Value("expiration_time", wantExpirationTime, &b.expirationTime),
		machine.Value("expires_in", wantExpiresIn, &b.expiresIn),
		machine.Value("scopes", wantScopes, &b.scopes),
		machine.Value("source_ips", wantSourceIPs, &b.sourceIPs),
	)
	if err != nil {
		return owner, w, err
	}
	err = machine.NoToken(
		machine.Text("user.domain", user.Domain), machine.Text("user.name", user.Name), machine.Text("user.auth_id", user.AuthID), machine.Text("user.sid", user.SID),
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

func bothExpiries() *machine.Problem {
	return machine.FieldProblem("invalid_field", "expires_in", "and expiration_time are both given; only one of them is allowed")
}

// identityMembers are the members of an identity object. Each may be null,
// because Qumulo's clients send all six and set only the ones that they know.
func identityMembers(into *name.Identity) []machine.Member {
	return []machine.Member{
		machine.Value("domain", "a string", &into.Domain),
		machine.Value("auth_id", "a string", &into.AuthID),
		machine.Value("uid", "a whole number from 0 to 4294967294", &into.UID),
		machine.Value("gid", "absent or null, because groups have no tokens", &into.GID),
		machine.Value("sid", "a string", &into.SID),
		machine.Value("name", "a string", &into.Name),
	}
}
