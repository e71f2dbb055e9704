package httpapi

import (
	"fmt"

	"apitoken/events/token"
)

// update changes a token. An update that changes nothing answers the entry and
// writes nothing.
func (x *exchange) update() (answer, error) {
	ifMatch, err := x.ifMatch()
	if err != nil {
		return answer{}, err
	}
	wanted, err := x.updateBody()
	if err != nil {
		return answer{}, err
	}
	wanted.IfMatch = ifMatch
	t, err := x.api.Issuer.Update(x.r.Context(), x.principal, x.tokenID(), wanted)
	if err != nil {
		return answer{}, fmt.Errorf("changing a token: %w", err)
	}
	return entryAnswer(t), nil
}

// updateBody reads the body of an update. A member that is absent or null changes
// nothing, with one exception: an expiration_time that is null or "" means that
// the token never expires. A null list changes nothing, because clients write null
// for a member that they do not set, and a token must not lose its bounds by that.
func (x *exchange) updateBody() (u token.Update, err error) {
	var b wishBody
	var instant, outgoing bool
	var outgoingUntil string
	err = x.decode(
		member{"name", wantName, given{&u.Given.Name, &b.name}},
		member{"description", wantDescription, given{&u.Given.Description, &b.description}},
		member{"enabled", "true or false", &u.Enabled},
		member{"expiration_time", wantExpirationTime, givenOrNull{&instant, &b.expirationTime}},
		member{"expires_in", wantExpiresIn, &b.expiresIn},
		member{"scopes", wantScopes, given{&u.Given.Scopes, &b.scopes}},
		member{"source_ips", wantSourceIPs, given{&u.Given.SourceIPs, &b.sourceIPs}},
		member{"previous_secret_until", `"", which ends the previous secret now`, given{&outgoing, &outgoingUntil}},
	)
	switch {
	case err != nil:
		return u, err
	case outgoing && outgoingUntil != "":
		return u, fieldProblem("invalid_field", "previous_secret_until", `has a value that is not allowed; allowed: "", which ends the previous secret now`)
	case instant && b.expiresIn != "":
		return u, bothExpiries()
	}
	u.Wish, err = b.wish()
	u.Given.Expiry, u.EndOutgoing = instant || b.expiresIn != "", outgoing
	return u, err
}
