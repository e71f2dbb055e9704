package httpapi

import (
	"fmt"

	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// update changes a token. An update that changes nothing answers the entry and
// writes nothing.
func (x exchange) update() (machine.Answer, error) {
	ifMatch, err := x.ifMatch()
	if err != nil {
		return machine.Answer{}, err
	}
	wanted, err := x.updateBody()
	if err != nil {
		return machine.Answer{}, err
	}
	wanted.IfMatch = ifMatch
	t, err := x.Config.Issuer.Update(x.Request.Context(), x.Principal, x.tokenID(), wanted)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing a token: %w", err)
	}
	return entryAnswer(t), nil
}

// updateBody reads the body of an update. A member that is absent or null changes
// nothing, with one exception: an expiration_time that is null or "" means that
// the token never expires. A null list changes nothing, because clients write null
// for a member that they do not set, and a token must not lose its bounds by that.
func (x exchange) updateBody() (u token.Update, err error) {
	var b wishBody
	var instant, outgoing bool
	var outgoingUntil string
	err = x.Decode(
		machine.Given("name", wantName, &u.Given.Name, &b.name),
		machine.Given("description", wantDescription, &u.Given.Description, &b.description),
		machine.Value("enabled", "true or false", &u.Enabled),
		machine.GivenOrNull("expiration_time", wantExpirationTime, &instant, &b.expirationTime),
		machine.Value("expires_in", wantExpiresIn, &b.expiresIn),
		machine.Given("scopes", wantScopes, &u.Given.Scopes, &b.scopes),
		machine.Given("source_ips", wantSourceIPs, &u.Given.SourceIPs, &b.sourceIPs),
		machine.Given("previous_secret_until", `"", which ends the previous secret now`, &outgoing, &outgoingUntil),
	)
	switch {
	case err != nil:
		return u, err
	case outgoing && outgoingUntil != "":
		return u, machine.FieldProblem("invalid_field", "previous_secret_until", `has a value that is not allowed; allowed: "", which ends the previous secret now`)
	case instant && b.expiresIn != "":
		return u, bothExpiries()
	}
	u.Wish, err = b.wish()
	u.Given.Expiry, u.EndOutgoing = instant || b.expiresIn != "", outgoing
	return u, err
}
