package oidc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"apitoken/events/secret"
)

// Issuer is one issuer of the settings.
type Issuer struct {
	Alias       string   // 1 to 16 small letters, digits and hyphens; it is a part of owner keys, so it never changes
	URL         string   // exactly as the issuer writes it into iss
	ClientID    string   // the client for browsers; "": nobody signs in with a browser
	Audiences   []string // of JWTs of programs
	CLIClientID string   // the public client for command lines; "": there is none
	GroupsClaim string   // the claim with the groups; "": none
	NameClaim   string   // the claim with the name for people; "": name, preferred_username or email
	MapClaim    string   // the claim with a name of ACTIVE_DIRECTORY; "": owners are named by issuer and sub
	MaxSession  time.Duration
	Secret      secret.Secret // of ClientID; zero: a public client
}

// The bounds of the settings.
const (
	maxValue    = 255 // bytes of a URL, a client id, an audience or the name of a claim
	maxSession  = 12 * time.Hour
	memberNames = "alias, url, client_id, audiences, cli_client_id, groups_claim, name_claim, map_claim, max_session"
)

var aliasForm = regexp.MustCompile(`^[a-z0-9-]{1,16}$`)

// Parse reads the settings: a JSON array with an object for each issuer, and a JSON
// object with the client secrets by alias. Both texts may be empty. The error has all
// faults. It names the alias and the member, and has no part of a secret.
func Parse(issuers, secrets string) ([]Issuer, error) {
	list, issuersErr := parseIssuers(issuers)
	bySecret, secretsErr := parseSecrets(secrets)
	if err := errors.Join(issuersErr, secretsErr); err != nil {
		return nil, err
	}
	for i := range list {
		alias := list[i].Alias
		given, ok := bySecret[alias]
		delete(bySecret, alias)
		if ok && list[i].ClientID == "" {
			return nil, fmt.Errorf("the secrets have one for %q, but that issuer has no client_id; give it one, or remove the secret", alias)
		}
		list[i].Secret = given
	}
	for _, alias := range slices.Sorted(maps.Keys(bySecret)) {
		return nil, fmt.Errorf("the secrets name %s, which is the alias of no issuer; allowed: %s", secret.Quote(alias), aliases(list))
	}
	return list, nil
}

func aliases(list []Issuer) string {
	var names []string
	for _, i := range list {
		names = append(names, i.Alias)
	}
	if names == nil {
		return "none, because there is no issuer"
	}
	return strings.Join(names, ", ")
}

func parseIssuers(text string) ([]Issuer, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	objects, err := splitArray(text)
	if err != nil {
		return nil, fmt.Errorf("the issuers %w; it must be a JSON array of objects like %s", err, `[{"alias":"work","url":"https://login.example.com","client_id":"apitoken"}]`)
	}
	var list []Issuer
	var faults []error
	for n, object := range objects {
		i, err := parseIssuer(object)
		switch where := issuerName(i, n); {
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		case slices.ContainsFunc(list, func(o Issuer) bool { return o.Alias == i.Alias }):
			faults = append(faults, fmt.Errorf("%s: the alias is given twice; each issuer needs its own", where))
		case slices.ContainsFunc(list, func(o Issuer) bool { return o.URL == i.URL }):
			faults = append(faults, fmt.Errorf("%s: the url is given twice; a JWT names its issuer only by this URL", where))
		default:
			list = append(list, i)
		}
	}
	return list, errors.Join(faults...)
}

// issuerName names an issuer in an error: by its alias, or by its place.
func issuerName(i Issuer, n int) string {
	if aliasForm.MatchString(i.Alias) {
		return fmt.Sprintf("the issuer %q", i.Alias)
	}
	return fmt.Sprintf("issuer %d of the list", n+1)
}

// parseIssuer returns the issuer with its alias also if another member is wrong.
func parseIssuer(text []byte) (i Issuer, err error) {
	o, err := splitObject(text)
	if err != nil {
		return i, fmt.Errorf("it %w; it must be an object with the members %s", err, memberNames)
	}
	i.Alias = o.text("alias")
	i.URL = o.text("url")
	i.ClientID, i.CLIClientID = o.text("client_id"), o.text("cli_client_id")
	i.GroupsClaim, i.NameClaim, i.MapClaim = o.text("groups_claim"), o.text("name_claim"), o.text("map_claim")
	i.Audiences = o.texts("audiences")
	session := o.text("max_session")
	for _, name := range o.unknown() {
		o.fault(secret.Quote(name), "is unknown; allowed: "+memberNames)
	}
	if len(o.faults) == 0 {
		i.MaxSession = i.check(o, session)
	}
	return i, errors.Join(o.faults...)
}

// check adds the faults of the values, and returns the longest session.
func (i Issuer) check(o *object, session string) (longest time.Duration) {
	if !aliasForm.MatchString(i.Alias) {
		o.fault("alias", fmt.Sprintf("is %s; allowed: 1 to 16 small letters, digits and hyphens", secret.Quote(i.Alias)))
	}
	if err := checkURL(i.URL); err != nil {
		o.fault("url", err.Error())
	}
	for _, m := range []struct{ name, value string }{
		{"client_id", i.ClientID}, {"cli_client_id", i.CLIClientID}, {"groups_claim", i.GroupsClaim}, {"name_claim", i.NameClaim}, {"map_claim", i.MapClaim},
	} {
		if _, given := o.members[m.name]; given && !plain(m.value) {
			o.fault(m.name, fmt.Sprintf("is %s; allowed: 1 to %d printable ASCII characters", secret.Quote(m.value), maxValue))
		}
	}
	for _, a := range i.Audiences {
		if !plain(a) {
			o.fault("audiences", fmt.Sprintf("has %s; allowed: texts of 1 to %d printable ASCII characters", secret.Quote(a), maxValue))
		}
	}
	if i.ClientID == "" && i.CLIClientID == "" && len(i.Audiences) == 0 {
		o.fault("client_id", "is missing, and so are cli_client_id and audiences; give one of them, because a JWT must be meant for this service")
	}
	if i.MapClaim == "email" {
		o.fault("map_claim", "is email; another claim is needed, because a person may get the e-mail address of another one")
	}
	if _, given := o.members["max_session"]; given {
		var ok bool
		if longest, ok = parseSession(session); !ok {
			o.fault("max_session", fmt.Sprintf("is %s; allowed: a whole number with the unit H (hours) or m (minutes), from 1m to 12H, like 8H", secret.Quote(session)))
		}
	}
	return longest
}

func plain(text string) bool {
	return text != "" && len(text) <= maxValue && !strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' })
}

var sessionForm = regexp.MustCompile(`^([1-9][0-9]{0,3})([Hm])$`)

// parseSession reads a duration in the form of the API's lifetimes.
func parseSession(text string) (time.Duration, bool) {
	m := sessionForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	unit := time.Minute
	if m[2] == "H" {
		unit = time.Hour
	}
	d := time.Duration(n) * unit
	return d, err == nil && d <= maxSession
}

// The problems of an issuer's URL. None repeats the text: it may have a password.
var (
	errURLMissing = errors.New("is missing; give the URL of the issuer, exactly as its metadata have it, like https://login.example.com/realms/work")
	errURLForm    = errors.New("is no URL; allowed: https://HOST[:PORT][/PATH], exactly as the issuer writes it into its tokens")
	errURLScheme  = errors.New("must begin with https://; only an issuer on this machine may have http:// (127.0.0.1, [::1] or localhost)")
	errURLParts   = errors.New("has a user name, a query or a fragment; allowed: https://HOST[:PORT][/PATH]")
	errURLLong    = fmt.Errorf("is too long; at most %d bytes are allowed", maxValue)
)

func checkURL(text string) error {
	if text == "" {
		return errURLMissing
	}
	if len(text) > maxValue {
		return errURLLong
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || !plain(text):
		return errURLForm
	case !mayFetch(u, u.Scheme == "http"):
		return errURLScheme
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return errURLParts
	}
	return nil
}

// mayFetch reports whether the URL uses TLS, or, with local, names this machine.
func mayFetch(u *url.URL, local bool) bool {
	return u.Scheme == "https" || local && u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// parseSecrets reads the secrets by alias.
func parseSecrets(text string) (map[string]secret.Secret, error) {
	found := map[string]secret.Secret{}
	if strings.TrimSpace(text) == "" {
		return found, nil
	}
	o, err := splitObject([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the secrets are not valid: the text %w; it must be one JSON object with a secret for each alias", err)
	}
	var faults []error
	for _, alias := range o.unknown() {
		var s secret.Secret
		if err := s.UnmarshalJSON(o.members[alias]); err != nil || s.Reveal() == "" {
			faults = append(faults, fmt.Errorf("the secret of %s is not valid; allowed: a text that is not empty", secret.Quote(alias)))
		}
		found[alias] = s
	}
	return found, errors.Join(faults...)
}
