package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/signin"
)

const (
	exchangePath = "/v1/session/exchange"
	issuersPath  = "/v1/session/issuers"
)

// The texts of RFC 8693 sections 2.1 and 3.
const (
	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
)

// exchanged is Exchanged as the service writes it.
type exchanged struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int64  `json:"expires_in"`
}

// exchangeCall is the token exchange. Its errors are those of OAuth.
func exchangeCall() machine.Call {
	c := call(machine.Route{
		Function: "login", Operation: "exchange", Method: http.MethodPost, Path: exchangePath, Open: true, Checks: true, Command: true, Mints: true,
	}, exchange.exchangeToken)
	c.Form = exchangeForm
	return c
}

// exchangeToken answers the token exchange of RFC 8693: it opens a session for the
// identity in a JWT of an issuer, or with a token of this service.
func (x exchange) exchangeToken() (machine.Answer, error) {
	form, err := x.DecodeForm("grant_type", "subject_token", "subject_token_type", "requested_token_type", "actor_token", "scope", "ui")
	if err != nil {
		return machine.Answer{}, err
	}
	if err := checkExchange(form); err != nil {
		return machine.Answer{}, err
	}
	var t issuer.Token
	var text secret.Secret
	switch shown, ui := secret.New(form["subject_token"]), form["ui"] == "true"; form["subject_token_type"] {
	case typeAccessToken:
		t, text, err = x.openWithToken(shown, ui)
	default:
		t, text, err = x.openWithJWT(shown, form["subject_token_type"] == typeIDToken, ui)
	}
	if err != nil {
		return machine.Answer{}, err
	}
	return machine.Answer{Body: exchanged{
		AccessToken: text.Reveal(), IssuedTokenType: typeAccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresAt.Sub(x.Config.Now()) / time.Second),
	}}, nil
}

// checkExchange refuses a form that asks for what this service does not do. Parameters
// that name a target are ignored: the session is only for this service.
func checkExchange(form map[string]string) error {
	for _, p := range [...]struct {
		name    string
		allowed []string
	}{
		{"grant_type", []string{grantExchange}},
		{"subject_token_type", []string{typeIDToken, typeJWT, typeAccessToken}},
		{"requested_token_type", []string{"", typeAccessToken}},
		{"ui", []string{"", "true", "false"}},
	} {
		if value := form[p.name]; !slices.Contains(p.allowed, value) {
			allowed := strings.Trim(strings.Join(p.allowed, ", "), ", ")
			return machine.FieldProblem("invalid_parameter", p.name, fmt.Sprintf("is %s; allowed: %s", cmp.Or(quotedIfGiven(value), "missing"), allowed))
		}
	}
	switch {
	case form["subject_token"] == "":
		return machine.FieldProblem("invalid_parameter", "subject_token", "is missing; send the token to exchange in the body, as in subject_token=TOKEN")
	case form["actor_token"] != "":
		return machine.FieldProblem("invalid_parameter", "actor_token", "is not supported: a session acts for the user of subject_token alone; leave it out")
	case form["scope"] != "":
		return machine.FieldProblem("invalid_parameter", "scope", "is not supported: a session has the scopes of the token that opens it; exchange a token with scopes, or leave it out")
	}
	return nil
}

func quotedIfGiven(value string) string {
	if value == "" {
		return ""
	}
	return secret.Quote(value)
}

// openWithToken opens a session with a token of this service. The token must pass for
// the address of the caller.
func (x exchange) openWithToken(shown secret.Secret, ui bool) (issuer.Token, secret.Secret, error) {
	t, err := secret.Parse(strings.TrimSpace(shown.Reveal()))
	if err != nil {
		return issuer.Token{}, secret.Secret{}, machine.FieldProblem(guard.CodeMalformed, "subject_token", "is no token of this service; send the whole token, without a scheme or quotes")
	}
	ctx := x.Request.Context()
	x.Principal, err = x.Config.Guard.Check(ctx, t, x.Address())
	if err != nil {
		return issuer.Token{}, secret.Secret{}, machine.GuardError(err)
	}
	opened, text, err := x.Config.Issuer.OpenSessionWith(ctx, x.Principal, ui)
	if err != nil {
		return issuer.Token{}, secret.Secret{}, fmt.Errorf("opening a session with a token: %w", err)
	}
	return opened, text, nil
}

// openWithJWT opens a session for the identity in a JWT.
func (x exchange) openWithJWT(jwt secret.Secret, idToken, ui bool) (issuer.Token, secret.Secret, error) {
	if secret.Within(jwt.Reveal()) {
		return issuer.Token{}, secret.Secret{}, machine.FieldProblem("invalid_parameter", "subject_token_type", "is that of a JWT, but subject_token is a token of this service; its type is "+typeAccessToken)
	}
	if x.Config.Identities == nil {
		return issuer.Token{}, secret.Secret{}, machine.FieldProblem("invalid_parameter", "subject_token_type", "is that of a JWT, but this service has no issuers in its settings; allowed: "+typeAccessToken)
	}
	id, err := x.Config.Identities.Verify(x.Request.Context(), jwt, idToken)
	if err != nil {
		return issuer.Token{}, secret.Secret{}, signin.Fault("checking a JWT", err)
	}
	return signin.Open(x.Exchange, id, ui)
}

// issuers answers where people may sign in.
func (x exchange) issuers() (machine.Answer, error) {
	out := SignInWays{Issuers: []SignInIssuer{}, Password: x.Config.Passwords != nil}
	if ids := x.Config.Identities; ids != nil {
		for _, i := range ids.Issuers() {
			browser := i.Browser && x.Config.PublicURL != ""
			out.Issuers = append(out.Issuers, SignInIssuer{Alias: i.Alias, Issuer: i.URL, ClientID: i.ClientID, Device: i.ClientID != "", Browser: browser})
		}
	}
	return machine.Answer{Body: out, Cache: "no-cache"}, nil
}

// exchangeForm writes a problem as RFC 8693 section 2.2.2 asks: a token that is refused
// makes the request invalid. It is not the client that lacks a credential, so the status
// is 400 and not 401 (RFC 6749 section 5.2).
func exchangeForm(p *machine.Problem) machine.Form {
	f := oauthForm(p)
	body, ok := f.Body.(OAuthError)
	if !ok {
		return f
	}
	switch {
	case p.Status == http.StatusUnauthorized:
		f.Status, body.Error = http.StatusBadRequest, "invalid_request"
	case p.Status == http.StatusForbidden:
		body.Error = "invalid_request"
	case len(p.Errors) == 1 && p.Errors[0].Field == "grant_type":
		body.Error = "unsupported_grant_type"
	}
	f.Body = body
	return f
}
