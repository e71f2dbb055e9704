package httpapi

import (
	"fmt"
	"net/netip"

	"apitoken/events/guard"
	"apitoken/events/name"
	"apitoken/events/secret"
)

func (x *exchange) whoAmI() (answer, error) {
	caller, err := x.api.Issuer.WhoAmI(x.r.Context(), x.principal)
	if err != nil {
		return answer{}, fmt.Errorf("reading the caller's permissions: %w", err)
	}
	return answer{body: WhoAmI{ID: caller.Owner, Name: displayName(caller.Owner), Permissions: orEmpty(caller.Permissions)}}, nil
}

// roles answers that the caller has no role: this service has permissions in place
// of roles. Qumulo's qq reads the roles after who-am-i.
func (x *exchange) roles() (answer, error) { return answer{body: []string{}}, nil }

const loginDetail = "This service has no passwords and opens no sessions. Use a token in place of a password: write " +
	`{"version":1,"bearer_token":"TOKEN"} to a file with mode 0600, and give qq this file with --credentials-store. ` +
	"Without that option, qq reads ~/.config/qumulo/credentials/HOST_PORT."

// login refuses the login of Qumulo's clients, which is a user name and a password
// in the body. It does not read the body.
func (x *exchange) login() (answer, error) {
	return answer{}, newProblem(guard.CodePassword, loginDetail)
}

// displayName returns the name in an owner key, or the whole key if it has no
// name.
func displayName(owner string) string {
	if named := name.IdentityOf(owner).Name; named != "" {
		return named
	}
	return owner
}

func (x *exchange) introspect() (answer, error) {
	var shown secret.Secret
	var action, sourceIP string
	err := x.decode(
		member{"token", "a string: the token to check", &shown},
		member{"action", "a string: a method and a path, like GET /v1/things/7", &action},
		member{"source_ip", "a string: an IP address, like 192.0.2.7", &sourceIP},
	)
	if err != nil {
		return answer{}, err
	}
	if shown.Reveal() == "" {
		return answer{}, fieldProblem("invalid_field", "token", "is missing; give the token to check")
	}
	var source netip.Addr
	if sourceIP != "" {
		if source, err = netip.ParseAddr(sourceIP); err != nil || source.Zone() != "" {
			return answer{}, fieldProblem("invalid_field", "source_ip", "must be an IP address without a zone, like 192.0.2.7")
		}
	}
	found, err := x.api.Issuer.Introspect(x.r.Context(), x.principal, shown.Reveal(), action, source)
	if err != nil {
		return answer{}, fmt.Errorf("checking a token: %w", err)
	}
	out := Introspection{Active: found.Active, Reason: found.Reason, ID: found.ID}
	if found.ID != "" {
		user := name.IdentityOf(found.Owner)
		out.User, out.Scopes, out.ExpirationTime = &user, orEmpty(found.Scopes), &Time{found.ExpiresAt}
	}
	return answer{body: out}, nil
}
