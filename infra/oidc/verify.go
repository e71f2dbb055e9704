package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"

	"apitoken/events/identity"
	"apitoken/events/secret"
)

const (
	// maxJWT is the largest JWT in bytes. One with 200 groups of Entra ID, the most that
	// Entra ID writes, has about 11 KB.
	maxJWT = 32 << 10

	// tolerance is how far the clocks of an issuer and of this machine may be apart.
	tolerance = time.Minute

	// personFor is how long after its issue an ID token signs a person in. Later it may
	// have been in a log or in a file. The claim auth_time does not count: with single
	// sign-on it is hours old in a new ID token (OpenID Connect Core 1.0 section 2), and
	// to ask for max_age (section 3.1.2.1) would end the single sign-on. So an ID token of
	// a refresh (section 12.2) signs in too.
	personFor = 5 * time.Minute

	maxSubject = 1024 // bytes; OpenID Connect has 255, and some programs have more
)

const allowedSignatures = "RS256, PS256, ES256 and EdDSA"

// Verify checks a JWT of a client. The issuer is the one that the JWT itself names, if it
// is one of the settings. With idToken the client says that the JWT is an ID token: only
// then the identity may be a person's. The error is a refusal, or a fault.
func (p *Providers) Verify(ctx context.Context, jwt secret.Secret, idToken bool) (identity.Identity, error) {
	signed, err := parse(jwt)
	if err != nil {
		return identity.Identity{}, err
	}
	unverified, ok := parseClaims(signed.UnsafePayloadWithoutVerification())
	if !ok {
		return identity.Identity{}, malformed("the JWT has no JSON object with claims")
	}
	name, err := unverified.text("iss")
	if err != nil || name == "" {
		return identity.Identity{}, malformed("the JWT has no issuer: the claim iss must be a string")
	}
	n := slices.IndexFunc(p.issuers, func(i *issuer) bool { return i.URL == name })
	if n < 0 {
		return identity.Identity{}, invalid("the JWT is of the issuer %s, which this service does not know; known: %s", secret.Quote(name), p.urls())
	}
	c, err := p.issuers[n].verify(ctx, jwt, signed)
	if err != nil {
		return identity.Identity{}, err
	}
	return p.issuers[n].identityOf(c, idToken && isIDToken(signed, c))
}

func (p *Providers) urls() string {
	var urls []string
	for _, i := range p.issuers {
		urls = append(urls, i.URL)
	}
	if urls == nil {
		return "none"
	}
	return strings.Join(urls, ", ")
}

// parse reads the form of a JWT: a compact JWS (RFC 7515 section 7.1) with an allowed
// signature. It verifies nothing.
func parse(jwt secret.Secret) (*jose.JSONWebSignature, error) {
	text := jwt.Reveal()
	if len(text) > maxJWT {
		return nil, malformed("the JWT has %d bytes; at most %d are allowed", len(text), maxJWT)
	}
	switch strings.Count(text, ".") {
	case 2:
	case 4:
		return nil, malformed("the JWT is encrypted; only a signed JWT is allowed")
	default:
		return nil, malformed("the text is no JWT; a JWT has three parts that are joined by dots")
	}
	if strings.ContainsAny(text, " \t\r\n") { // go-jose would remove it
		return nil, malformed("the text is no JWT: it has white space; send the three parts and the dots alone")
	}
	signed, err := jose.ParseSignedCompact(text, algorithms)
	if bad, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, invalid("the JWT has the signature algorithm %s; allowed: %s", secret.Quote(string(bad.Got)), allowedSignatures)
	}
	if err != nil {
		return nil, malformed("the text is no JWT: its parts are not those of a signed JWT in the compact form")
	}
	return signed, nil
}

// verify returns the claims of a JWT that the issuer has signed.
func (i *issuer) verify(ctx context.Context, jwt secret.Secret, signed *jose.JSONWebSignature) (claims, error) {
	found, err := i.published(ctx)
	if err != nil {
		return nil, err
	}
	check := &signatureCheck{keys: found.keys, signed: signed}
	_, refused := oidc.NewVerifier(i.URL, check, &oidc.Config{
		SupportedSigningAlgs: names(algorithms), SkipClientIDCheck: true, SkipExpiryCheck: true, // identityOf checks both
	}).Verify(ctx, jwt.Reveal())
	if check.fault != nil {
		return nil, fmt.Errorf("verifying a JWT of issuer %s: %w", i.Alias, check.fault)
	}
	if check.payload == nil {
		return nil, invalid("the JWT has no valid signature: no key that the issuer %s publishes now verifies it", i.URL)
	}
	c, ok := parseClaims(check.payload)
	if !ok {
		return nil, malformed("the JWT has no JSON object with claims")
	}
	if isEvent(signed, c) {
		return nil, invalid("the JWT reports an event, such as a logout, and signs nobody in")
	}
	if err := i.checkComplete(c); err != nil {
		return nil, err // before the next refusal, which could be about the same claim
	}
	if refused != nil {
		return nil, invalid("the JWT is not of the issuer %s, or one of its claims has the wrong type", i.URL)
	}
	return c, nil
}

// signatureCheck is the oidc.KeySet for one JWT. go-oidc keeps only the text of an
// error, so the fault of a fetch would look like a wrong signature.
type signatureCheck struct {
	keys    *keySet
	signed  *jose.JSONWebSignature
	payload []byte
	fault   error
}

func (s *signatureCheck) VerifySignature(ctx context.Context, _ string) ([]byte, error) {
	payload, err := s.keys.verify(ctx, s.signed)
	if err != nil && !errors.Is(err, errNoKey) {
		s.fault = err
	}
	s.payload = payload
	return payload, err
}

// isEvent reports whether a JWT reports an event about the subject (RFC 8417), such as a
// logout token. It has the signature and the audience of an ID token, and is no credential:
// it is sent when the person's session at the issuer has ended.
func isEvent(signed *jose.JSONWebSignature, c claims) bool {
	kind, _ := typeOf(signed)
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	_, events := c["events"]
	return events || kind == "secevent+jwt" || kind == "logout+jwt"
}

// typeOf returns the type in the header of a JWT, and whether there is one.
func typeOf(signed *jose.JSONWebSignature) (text string, given bool) {
	value, given := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType]
	text, _ = value.(string)
	return text, given
}

// isIDToken reports whether nothing says that a JWT is another one than an ID token.
// Access tokens of some issuers have the same signature and audience, and others than the
// person hold them (RFC 8725 section 3.12). Each issuer marks them in its own way: RFC 9068
// in the header, Keycloak in the claim typ, Cognito in token_use.
func isIDToken(signed *jose.JSONWebSignature, c claims) bool {
	if text, given := typeOf(signed); given && !strings.EqualFold(text, "JWT") {
		return false
	}
	for name, value := range map[string]string{"typ": `"ID"`, "token_use": `"id"`} {
		if raw, given := c[name]; given && string(raw) != value {
			return false
		}
	}
	return true
}

func names(algorithms []jose.SignatureAlgorithm) (names []string) {
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	return names
}

// checkComplete refuses a JWT that leaves the groups out because there are too many. A
// session without them could do less than the person, and nobody would see why.
func (i *issuer) checkComplete(c claims) error {
	if i.GroupsClaim != "" && c.isElsewhere(i.GroupsClaim) {
		return refuse(identity.CodeOverage, "the issuer %s left the claim %s out of the JWT because the user has too many groups; let the issuer send only the groups that this service needs", i.URL, secret.Quote(i.GroupsClaim))
	}
	return nil
}

// identityOf checks the claims of a JWT whose signature is right.
func (i *issuer) identityOf(c claims, idToken bool) (identity.Identity, error) {
	now := i.now()
	if iss, err := c.text("iss"); err != nil || iss != i.URL {
		return identity.Identity{}, invalid("the claim iss of the JWT is not exactly %s", i.URL)
	}
	own, err := i.checkAudience(c)
	if err != nil {
		return identity.Identity{}, err
	}
	expires, issued, err := checkTimes(c, now)
	if err != nil {
		return identity.Identity{}, err
	}
	id := identity.Identity{Alias: i.Alias, Issuer: i.URL, Expires: expires, MaxSession: i.MaxSession}
	id.Person = idToken && own && !issued.IsZero() && now.Sub(issued) <= personFor
	if !id.Person && id.MaxSession == 0 && !now.Before(expires) { // the session would end before it begins
		return identity.Identity{}, expired(expires)
	}
	if id.Subject, err = c.text("sub"); err != nil || id.Subject == "" || len(id.Subject) > maxSubject {
		return identity.Identity{}, invalid("the claim sub of the JWT must be a text of 1 to %d bytes", maxSubject)
	}
	if i.GroupsClaim != "" {
		if id.Groups, err = c.texts(i.GroupsClaim); err != nil {
			return identity.Identity{}, invalid("the claim %s of the JWT, with the groups, must be an array of strings or one string", secret.Quote(i.GroupsClaim))
		}
	}
	if i.MapClaim != "" {
		if id.Account, err = c.text(i.MapClaim); err != nil || id.Account == "" {
			return identity.Identity{}, invalid("the JWT has no claim %s with the name of the user, which this service needs for the issuer %s", secret.Quote(i.MapClaim), i.URL)
		}
	}
	id.Name = i.displayed(c)
	return id, nil
}

func (i *issuer) displayed(c claims) string {
	if i.NameClaim != "" {
		return c.displayed(i.NameClaim)
	}
	return c.displayed("name", "preferred_username", "email")
}

// ownClients are the clients of this service at the issuer.
func (i *issuer) ownClients() []string { return []string{i.ClientID, i.CLIClientID} }

// checkAudience refuses a JWT for another service. own says that the JWT was issued to a
// client of this service: with azp, this client is named there (OpenID Connect Core 1.0
// section 2), and a JWT for several audiences needs azp.
func (i *issuer) checkAudience(c claims) (own bool, err error) {
	audience, err := c.texts("aud")
	if err != nil {
		return false, invalid("the claim aud of the JWT must be an array of strings or one string")
	}
	own = isForAny(audience, i.ownClients())
	if !own && !isForAny(audience, i.Audiences) {
		return false, invalid("the JWT is for another audience, %s; allowed for the issuer %s: %s", quoted(audience), i.URL, strings.Join(i.allowedAudiences(), ", "))
	}
	party, err := c.text("azp")
	if err != nil {
		return false, invalid("the claim azp of the JWT must be a string")
	}
	if party == "" {
		return own && len(audience) == 1, nil
	}
	return own && isForAny([]string{party}, i.ownClients()), nil
}

func (i *issuer) allowedAudiences() []string {
	return slices.DeleteFunc(append(i.ownClients(), i.Audiences...), func(a string) bool { return a == "" })
}

// quoted returns the first texts of a list, for a refusal.
func quoted(texts []string) string {
	if len(texts) == 0 {
		return "which the JWT does not name"
	}
	var all []string
	for _, text := range texts[:min(len(texts), 3)] {
		all = append(all, secret.Quote(text))
	}
	return strings.Join(all, ", ")
}

func expired(at time.Time) error {
	return refuse(identity.CodeExpired, "the JWT expired at %s", at.Format(time.RFC3339))
}

func checkTimes(c claims, now time.Time) (expires, issued time.Time, err error) {
	var times [3]time.Time
	for n, name := range [...]string{"exp", "nbf", "iat"} {
		if times[n], err = c.instant(name); err != nil {
			return expires, issued, invalid("the claim %s of the JWT must be a time in seconds since 1970", name)
		}
	}
	expires, notBefore, issued := times[0], times[1], times[2]
	switch {
	case expires.IsZero():
		return expires, issued, invalid("the JWT never expires; the claim exp is needed")
	case !now.Before(expires.Add(tolerance)):
		return expires, issued, expired(expires)
	case now.Add(tolerance).Before(notBefore):
		return expires, issued, invalid("the JWT is not valid before %s", notBefore.Format(time.RFC3339))
	case now.Add(tolerance).Before(issued):
		return expires, issued, invalid("the JWT was issued at %s, which is in the future of this service", issued.Format(time.RFC3339))
	}
	return expires, issued, nil
}

// Issuers returns the issuers of the settings, in their order.
func (p *Providers) Issuers() []identity.Issuer {
	list := make([]identity.Issuer, 0, len(p.issuers))
	for _, i := range p.issuers {
		list = append(list, identity.Issuer{Alias: i.Alias, URL: i.URL, ClientID: i.CLIClientID, Browser: i.ClientID != ""})
	}
	return list
}
