package httpapi

import (
	"cmp"
	"fmt"
	"net/netip"

	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
)

func (x exchange) whoAmI() (machine.Answer, error) {
	caller, err := x.Config.Issuer.WhoAmI(x.Request.Context(), x.Principal)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading the caller's permissions: %w", err)
	}
	user := shownAs(caller.Owner, caller.Name)
	return machine.Answer{Body: WhoAmI{
		ID: name.Number(caller.Owner), Name: cmp.Or(user.Name, caller.Owner), User: user, Permissions: orEmpty(caller.Permissions),
	}}, nil
}

// shownAs is the identity of an owner key, with the displayed name of a person whose key
// has none.
func shownAs(owner, displayed string) name.Identity {
	user := name.IdentityOf(owner)
	if _, person := name.AliasOf(owner); person {
		user.Name = displayed
	}
	return user
}

// roles answers that the caller has no role: this service has permissions in place
// of roles. Qumulo's qq reads the roles after who-am-i.
func (x exchange) roles() (machine.Answer, error) { return machine.Answer{Body: []string{}}, nil }

const loginDetail = "This service has no passwords. Use a token in place of a password: write " +
	`{"version":1,"bearer_token":"TOKEN"} to a file with mode 0600, and give qq this file with --credentials-store. ` +
	"Without that option, qq reads ~/.config/qumulo/credentials/HOST_PORT."

// login opens a session with a user name and a password, in the form of Qumulo's
// clients.
func (x exchange) login() (machine.Answer, error) {
	var in machine.SignIn
	made, text, err := x.LogIn(loginDetail, &in, machine.Value("ui", "true or false: whether the session is of the page", &in.UI))
	if err != nil {
		return machine.Answer{}, err
	}
	return machine.Answer{Body: loggedIn{ID: made.ID, BearerToken: text.Reveal(), ExpirationTime: Time{made.ExpiresAt}}}, nil
}

func (x exchange) introspect() (machine.Answer, error) {
	var shown secret.Secret
	var action, sourceIP string
	err := x.Decode(
		machine.Value("token", "a string: the token to check", &shown),
		machine.Value("action", "a string: a method and a path, like GET /v1/things/7", &action),
		machine.Value("source_ip", "a string: an IP address, like 192.0.2.7", &sourceIP),
	)
	if err != nil {
		return machine.Answer{}, err
	}
	if shown.Reveal() == "" {
		return machine.Answer{}, machine.FieldProblem("invalid_field", "token", "is missing; give the token to check")
	}
	var source netip.Addr
	if sourceIP != "" {
		if source, err = netip.ParseAddr(sourceIP); err != nil || source.Zone() != "" {
			return machine.Answer{}, machine.FieldProblem("invalid_field", "source_ip", "must be an IP address without a zone, like 192.0.2.7")
		}
	}
	found, err := x.Config.Issuer.Introspect(x.Request.Context(), x.Principal, shown.Reveal(), action, source)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("checking a token: %w", err)
	}
	out := Introspection{Active: found.Active, Reason: found.Reason, ID: found.ID}
	if found.ID != "" {
		user := name.IdentityOf(found.Owner)
		out.User, out.Scopes, out.ExpirationTime = &user, orEmpty(found.Scopes), &Time{found.ExpiresAt}
	}
	return machine.Answer{Body: out}, nil
}
