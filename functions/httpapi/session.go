package httpapi

import (
	"fmt"
	"net/netip"

	"apitoken/events/secret"
	"apitoken/events/token"
)

func (x *exchange) whoAmI() (reply, error) {
	self, err := x.api.Issuer.WhoAmI(x.r.Context(), x.who)
	if err != nil {
		return reply{}, fmt.Errorf("reading the caller's permissions: %w", err)
	}
	return reply{body: Self{ID: self.Owner, Name: displayName(self.Owner), Permissions: orEmpty(self.Permissions)}}, nil
}

// displayName is the name in an owner key, or the key where it has no name.
func displayName(owner string) string {
	if name := token.IdentityOf(owner).Name; name != "" {
		return name
	}
	return owner
}

func (x *exchange) introspect() (reply, error) {
	var shown secret.Secret
	var action, sourceIP string
	err := x.decode(
		member{"token", "a string: the token", &shown},
		member{"action", "a string: a method and a path, like GET /v1/things", &action},
		member{"source_ip", "a string: an IP address", &sourceIP},
	)
	if err != nil {
		return reply{}, err
	}
	if shown.Reveal() == "" {
		return reply{}, fault("invalid_field", "token", "is needed")
	}
	var source netip.Addr
	if sourceIP != "" {
		if source, err = netip.ParseAddr(sourceIP); err != nil {
			return reply{}, fault("invalid_field", "source_ip", "must be an IP address")
		}
	}
	found, err := x.api.Issuer.Introspect(x.r.Context(), x.who, shown.Reveal(), action, source)
	if err != nil {
		return reply{}, fmt.Errorf("checking a token: %w", err)
	}
	out := Introspection{Active: found.Active, Reason: found.Reason, ID: found.ID}
	if found.ID != "" {
		user := token.IdentityOf(found.Owner)
		out.User, out.Scopes, out.ExpirationTime = &user, orEmpty(found.Scopes), &Time{found.ExpiresAt}
	}
	return reply{body: out}, nil
}
