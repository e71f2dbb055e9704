package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/issuer"
	"apitoken/events/jsontext"
	"apitoken/events/name"
	"apitoken/events/secret"
)

// Time is a time as the API writes it: RFC 3339, UTC, six digits of a second. The
// zero Time means "no time" and is written as "".
type Time struct{ time.Time }

// MarshalJSON writes the time, or "" for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	return instant.Time{Time: t.Time}.MarshalJSON()
}

// UnmarshalJSON reads a time in RFC 3339 with any offset. It reads "" and null as
// the zero Time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	*t = Time{}
	if text == "" {
		return nil
	}
	var err error
	if t.Time, err = instant.Parse(text); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	return nil
}

// Entry is one token as answers show it. It never contains the secret.
type Entry struct {
	ID                  string         `json:"id"`
	Kind                string         `json:"kind"`          // token or session
	Via                 string         `json:"via,omitempty"` // of a session: how it was opened: oidc, password, token or exchange
	Name                string         `json:"name"`
	Description         string         `json:"description"`
	User                name.Identity  `json:"user"`    // the token acts for this user
	Creator             name.Identity  `json:"creator"` // this user made the token
	CreationTime        Time           `json:"creation_time"`
	ExpirationTime      Time           `json:"expiration_time"` // zero: never
	Enabled             bool           `json:"enabled"`
	State               string         `json:"state"`                          // active, disabled, expired or revoked
	EndedTime           Time           `json:"ended_time,omitzero"`            // when it was revoked or expired; zero: it is live
	PreviousSecretUntil Time           `json:"previous_secret_until,omitzero"` // until then the secret before the last rotation works; zero: it does not
	LastUsed            Time           `json:"last_used,omitzero"`             // at most 15 minutes before the real last use; zero: never used
	LastUsedAddress     string         `json:"last_used_address,omitempty"`    // of that use; "" if unknown
	Scopes              []string       `json:"scopes"`                         // the allowed calls; none: all that the user may do
	SourceIPs           []netip.Prefix `json:"source_ips"`                     // the allowed addresses; none: all

	// ETag names what callers can change of the token. It comes from a header of the
	// answer about one token, and is "" in a list and after a rotation.
	ETag string `json:"-"`
}

// RotateRequest asks for a new secret. Zero members are left out of the JSON.
type RotateRequest struct {
	// Grace is how long the secret before works, like 24H, or 0; "": the setting of
	// the service. A token that rotates itself needs 5 minutes at least.
	Grace string `json:"grace,omitempty"`

	// IfMatch has the ETags that the token may have, as in the header If-Match; "":
	// any.
	IfMatch string `json:"-"`

	// Key is the Idempotency-Key, 16 to 255 letters, digits and hyphens; "": a new
	// random one. Keep it as secret as the token: for 24 hours the acting token gets
	// the new secret again with it.
	Key string `json:"-"`
}

// Created is the answer to a create or a rotation: the entry and the whole token.
// No later answer contains the token.
type Created struct {
	Entry
	BearerToken secret.Secret `json:"bearer_token"`

	// Replayed says that an earlier request with the same Idempotency-Key made the
	// token or the secret, and that its answer was the same.
	Replayed bool `json:"-"`
}

// LoginRequest is a sign-in with a password.
type LoginRequest struct {
	Username string
	Password secret.Secret
}

// MarshalJSON writes the password, which is for the service only.
func (r LoginRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}{r.Username, r.Password.Reveal()})
}

// LoggedIn is the answer to a sign-in with a password: a session.
type LoggedIn struct {
	ID             string        `json:"id"`
	BearerToken    secret.Secret `json:"bearer_token"`
	ExpirationTime Time          `json:"expiration_time"`
}

// List is one page of tokens.
type List struct {
	Entries []Entry `json:"entries"`
	Paging  Paging  `json:"paging"`

	// UserLimit is the token limit of the user, in a list of the live tokens of one
	// user; otherwise nil.
	UserLimit *Limit `json:"user_limit,omitempty"`
}

// History is one page of records. Each entry is the record's event: a CloudEvents
// 1.0 object, which events.ParseDetail reads.
type History struct {
	Entries []json.RawMessage `json:"entries"`
	Paging  Paging            `json:"paging"`
}

// EventsPage is one page of the events of all users and of the settings. The events
// of one stream are together, the oldest first.
type EventsPage struct {
	History
	Damaged []string `json:"damaged"` // the ids of events that are left out: something else changed their records
}

// Paging says where the next page is. Both members are "" if this page is the last.
type Paging struct {
	Next  string `json:"next"`  // the link to the next page: a path with its query
	After string `json:"after"` // the cursor of the next page, for a query with the same filters
}

// CreateRequest asks for a token. Zero members are left out of the JSON, and the
// service uses its defaults for them.
type CreateRequest struct {
	User           *name.Identity `json:"user,omitempty"` // nil: the caller
	Name           string         `json:"name,omitempty"`
	Description    string         `json:"description,omitempty"`
	ExpirationTime Time           `json:"expiration_time,omitzero"`
	ExpiresIn      string         `json:"expires_in,omitempty"` // like 180D; not together with ExpirationTime
	Scopes         []string       `json:"scopes,omitempty"`
	SourceIPs      []string       `json:"source_ips,omitempty"`
}

// UpdateRequest says what to change of a token. A nil member changes nothing. At
// most one of ExpirationTime and ExpiresIn is set.
type UpdateRequest struct {
	IfMatch string `json:"-"` // the ETags that the token may have, as in the header If-Match; "": any

	Name           *string   `json:"name,omitempty"` // "": the name that a create chooses
	Description    *string   `json:"description,omitempty"`
	Enabled        *bool     `json:"enabled,omitempty"`
	ExpirationTime *Time     `json:"expiration_time,omitempty"` // the zero Time: never
	ExpiresIn      string    `json:"expires_in,omitempty"`      // a lifetime from the creation of the token, like 180D
	Scopes         *[]string `json:"scopes,omitempty"`          // empty: all that the user may do
	SourceIPs      *[]string `json:"source_ips,omitempty"`      // empty: all addresses

	// EndPreviousSecret ends the secret that the last rotation replaced.
	EndPreviousSecret bool `json:"-"`
}

// MarshalJSON writes the members that are set. A list that is set and nil is
// written as [], because the service reads null as absent.
func (r UpdateRequest) MarshalJSON() ([]byte, error) {
	type plain UpdateRequest // without this method
	body := struct {
		plain
		Previous *string `json:"previous_secret_until,omitempty"`
	}{plain: plain(r)}
	for _, list := range []**[]string{&body.Scopes, &body.SourceIPs} {
		if *list != nil {
			*list = new(orEmpty(**list))
		}
	}
	if r.EndPreviousSecret {
		body.Previous = new("")
	}
	return json.Marshal(body)
}

// WhoAmI is the caller: the number of its owner key (name.Number), the name in the
// owner key, the user as in an Entry, and the actions
// that the caller has on the realm "security".
type WhoAmI struct {
	ID          string        `json:"id"` // a create accepts it as auth_id
	Name        string        `json:"name"`
	User        name.Identity `json:"user"`
	Permissions []string      `json:"permissions"`
}

// AppendJSON implements machine.JSONAppender: clients make this call most often, and
// encoding/json needs 2 µs and 8 allocations for its answer.
func (w WhoAmI) AppendJSON(b []byte) (_ []byte, ok bool) {
	p := jsontext.Plain{JSON: b}
	p.Raw(`{"id":`)
	p.Text(w.ID)
	p.Raw(`,"name":`)
	p.Text(w.Name)
	p.Raw(`,"user":`)
	w.User.AppendJSON(&p)
	p.Raw(`,"permissions":`)
	p.Texts(w.Permissions)
	p.Raw("}")
	return p.JSON, !p.Failed
}

// Introspection says whether a token would pass, and for which user. Members are
// absent if they are unknown.
type Introspection struct {
	Active         bool           `json:"active"`
	Reason         string         `json:"reason,omitempty"` // a problem code, or issuer.ReasonActionMissing; absent if Active
	ID             string         `json:"id,omitempty"`
	User           *name.Identity `json:"user,omitempty"`
	Scopes         []string       `json:"scopes,omitzero"`
	ExpirationTime *Time          `json:"expiration_time,omitempty"`
}

// Version is the release of the service.
type Version struct {
	Version string `json:"version"`
}

// Health is the answer of a service that can do its work. A service that cannot
// answers 503 with a Problem.
type Health struct {
	Status string `json:"status"` // always "ok"
}

func entryOf(t issuer.Token) Entry {
	user, creator := name.IdentityOf(t.Owner), name.IdentityOf(t.Creator)
	if t.IsSession() {
		user, creator = shownAs(t.Owner, t.Name), shownAs(t.Creator, t.Name)
	}
	return Entry{
		ID: t.ID, Kind: cmp.Or(t.Kind, guard.KindToken), Via: t.Via, Name: t.Name, Description: t.Description,
		User: user, Creator: creator,
		CreationTime: Time{t.CreatedAt}, ExpirationTime: Time{t.ExpiresAt},
		Enabled: !t.Disabled, State: string(t.State), EndedTime: Time{t.EndedTime()},
		PreviousSecretUntil: Time{t.PreviousSecretUntil}, LastUsed: Time{t.LastUse.At}, LastUsedAddress: t.LastUse.Address,
		Scopes: orEmpty(t.Scopes), SourceIPs: orEmpty(t.SourceIPs),
	}
}

// orEmpty returns an empty list for nil, because clients iterate over the list
// in the JSON without checking for null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// OAuthIntrospection is the answer about one token in the form of RFC 7662. Only
// Active is there if the token does not pass.
type OAuthIntrospection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"` // METHOD:PATH, separated by spaces; absent: all that the user may do
	Username  string `json:"username,omitempty"`
	Sub       string `json:"sub,omitempty"` // the owner key, as Username: two users may have the same name in two domains
	Iss       string `json:"iss,omitempty"` // the deployment, as in the source of its events
	JTI       string `json:"jti,omitempty"` // the id of the token
	TokenType string `json:"token_type,omitempty"`
	Exp       int64  `json:"exp,omitempty"` // in Unix seconds, rounded down; absent: never
	Iat       int64  `json:"iat,omitempty"`
}

// OAuthError is the body of an answer that is not a success, of the two calls that
// OAuth defines (RFC 6749 section 5.2).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        string `json:"code"` // as in a Problem
	RequestID   string `json:"request_id"`
}

// ResourceMetadata describes the service to clients of OAuth (RFC 9728).
type ResourceMetadata struct {
	Resource      string   `json:"resource"`
	ResourceName  string   `json:"resource_name"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Documentation string   `json:"resource_documentation"`
}

// Exchanged is the answer to a token exchange (RFC 8693 section 2.2.1): the token of a
// session. No later answer contains the token.
type Exchanged struct {
	AccessToken     secret.Secret `json:"access_token"`
	IssuedTokenType string        `json:"issued_token_type"` // urn:ietf:params:oauth:token-type:access_token
	TokenType       string        `json:"token_type"`        // Bearer
	ExpiresIn       int64         `json:"expires_in"`        // in seconds, rounded down
}

// SignInWays says how people may sign in.
type SignInWays struct {
	Issuers  []SignInIssuer `json:"issuers"`
	Password bool           `json:"password"` // with a user name and a password
}

// SignInIssuer is an issuer of OpenID Connect that this service trusts.
type SignInIssuer struct {
	Alias    string `json:"alias"`     // the name of the issuer here
	Issuer   string `json:"issuer"`    // its URL
	ClientID string `json:"client_id"` // the public client for command lines; "": there is none
	Device   bool   `json:"device"`    // that client may use the device flow (RFC 8628), if the issuer has it
	Browser  bool   `json:"browser"`   // GET /ui/login?issuer=ALIAS signs in with a browser
}
