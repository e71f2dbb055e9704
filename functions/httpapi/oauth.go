package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"apitoken/events"
	"apitoken/events/scope"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
)

const (
	oauthIntrospectPath = "/v1/oauth/introspect"
	oauthRevokePath     = "/v1/oauth/revoke"
)

// oauthCall is a call that OAuth defines. Its errors are those of OAuth. No authorizer
// of a gateway runs before it, because the answers of an authorizer have another form.
func oauthCall(r machine.Route, method func(exchange) (machine.Answer, error)) machine.Call {
	r.Function, r.Method, r.Direct = "oauth", http.MethodPost, true
	c := call(r, method)
	c.Form = oauthForm
	return c
}

// describe answers the introspection of RFC 7662. The caller compares the scopes.
func (x exchange) describe() (machine.Answer, error) {
	form, err := x.DecodeForm("token", "source_ip")
	if err != nil {
		return machine.Answer{}, err
	}
	if form["token"] == "" {
		return machine.Answer{}, machine.FieldProblem("invalid_parameter", "token", "is missing; send the token to check in the body, as in token=TOKEN")
	}
	var source netip.Addr
	if text := form["source_ip"]; text != "" {
		if source, err = netip.ParseAddr(text); err != nil || source.Zone() != "" {
			return machine.Answer{}, machine.FieldProblem("invalid_parameter", "source_ip", "must be an IP address without a zone, like 192.0.2.7")
		}
	}
	found, err := x.Config.Issuer.Describe(x.Request.Context(), x.Principal, form["token"], source)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("checking a token: %w", err)
	}
	if !found.Active {
		return machine.Answer{Body: OAuthIntrospection{}}, nil
	}
	out := OAuthIntrospection{
		Active: true, Scope: scope.OAuth(found.Scopes), Username: found.Owner, Sub: found.Owner, Iss: events.Issuer(x.Config.Deployment),
		JTI: found.ID, TokenType: "Bearer", Iat: found.CreatedAt.Unix(),
	}
	if !found.ExpiresAt.IsZero() {
		out.Exp = found.ExpiresAt.Unix()
	}
	return machine.Answer{Body: out}, nil
}

// revokeShown answers the revocation of RFC 7009. It reads no header with a
// credential: who has the token may end it. It answers 200 for every other text too. But
// a person must not believe that a token has ended that was sent in another form. So it
// ignores blanks and line ends around the token, and refuses a token within other text.
func (x exchange) revokeShown() (machine.Answer, error) {
	form, err := x.DecodeForm("token")
	if err != nil {
		return machine.Answer{}, err
	}
	shown := strings.TrimSpace(form["token"])
	if shown == "" {
		return machine.Answer{}, machine.FieldProblem("invalid_parameter", "token", "is missing; send the token to revoke in the body, as in token=TOKEN")
	}
	if _, err := secret.Parse(shown); err != nil && secret.WithinEscaped(shown) {
		return machine.Answer{}, machine.FieldProblem("invalid_parameter", "token", "has a token and other text, so nothing was revoked; send the token alone, without a scheme or quotes, and percent-encoded at most once")
	}
	x.Principal, err = x.Config.Issuer.RevokeShown(x.Request.Context(), shown, x.Address())
	if err != nil {
		return machine.Answer{}, fmt.Errorf("revoking a token: %w", err)
	}
	return machine.Answer{Body: struct{}{}}, nil
}

// oauthForm writes a problem as RFC 6749 section 5.2 does. The code and the request id
// are ours.
func oauthForm(p *machine.Problem) machine.Form {
	return machine.Form{Status: p.Status, Type: "application/json", Body: OAuthError{
		Error: oauthCode(p.Status), Description: strings.Map(descriptive, p.Detail), Code: p.Code, RequestID: p.RequestID,
	}}
}

// oauthCode returns the code of OAuth for a status: RFC 6749 sections 4.1.2.1 and 5.2,
// and RFC 6750 section 3.1 for the permissions of the caller.
func oauthCode(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "invalid_client"
	case http.StatusForbidden:
		return "insufficient_scope"
	case http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request"
}

// descriptive returns the character as an error_description may have it: printable
// ASCII without the double quote and the backslash.
func descriptive(c rune) rune {
	switch {
	case c == '"', c == '\\':
		return '\''
	case c < ' ', c > '~':
		return '?'
	}
	return c
}

// resourceMetadata answers the metadata of RFC 9728, if the service knows its own
// address. They name no authorization server: none gives a token of this service.
func (x exchange) resourceMetadata() (machine.Answer, error) {
	if x.Config.PublicURL == "" {
		return machine.Answer{}, machine.NewProblem("path_not_found", "There is no such path: the service does not know its public address.")
	}
	return machine.Answer{Body: ResourceMetadata{
		Resource: x.Config.PublicURL, ResourceName: "apitoken", BearerMethods: []string{"header"}, Documentation: x.Config.PublicURL + documentPath,
	}, Cache: "public, max-age=300"}, nil
}
