package page

import (
	"crypto/rand"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"apitoken/events/instant"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// createPage is the form for a new token, or its summary.
type createPage struct {
	Form      *form
	ByLink    bool // a link has filled in the form
	ForOthers bool // the person may make tokens for other users
	Presets   []preset
	Maximum   int64 // the longest lifetime in seconds; 0: none
	Default   string

	// For the summary.
	Wish httpapi.CreateRequest
	Ends time.Time
	Key  string // the Idempotency-Key of the form
}

// preset is one choice for the end of a token.
type preset struct {
	Value, Label string
	Ends         time.Time // zero: never
}

// The fields of the form. A link may fill them in.
var createFields = []string{"name", "description", "user", "scopes", "source_ips", "expires", "until"}

// The choices for the expiry that are no lifetime.
const (
	expiresNever = "never"
	expiresUntil = "until"
)

// createMembers maps the members of a create to the fields of the form.
var createMembers = map[string]string{
	"name": "name", "description": "description", "user": "user", "auth_id": "user", "domain": "user", "sid": "user", "uid": "user",
	"scopes": "scopes", "source_ips": "source_ips", "expires_in": "expires", "expiration_time": "expires",
}

// showCreate shows the form. A link may fill it in. Only the person sends it.
func (v *visit) showCreate() error {
	q, values := v.r.URL.Query(), url.Values{}
	byLink := false
	for _, name := range createFields {
		if given := q[name]; len(given) > 0 {
			values.Set(name, strings.Join(given, "\n"))
			byLink = true
		}
	}
	if secret.WithinEscaped(v.r.URL.RawQuery) {
		v.failed(http.StatusBadRequest, "The link has a whole token", "The address of this page has a token, and browsers keep addresses. Revoke this token. Nothing was filled in.", "")
		return nil
	}
	return v.renderCreate(http.StatusOK, newForm(values), byLink)
}

// renderCreate shows the form, with the maximum as the API says it now.
func (v *visit) renderCreate(status int, f *form, byLink bool) error {
	limit, err := v.api.Limit(v.context(), v.me())
	if err != nil {
		return err
	}
	return v.renderCreateWith(status, f, byLink, limit.ExpirationTimeout)
}

func (v *visit) renderCreateWith(status int, f *form, byLink bool, maximum int64) error {
	body := createPage{Form: f, ByLink: byLink, ForOthers: v.may("create"), Maximum: maximum}
	chosen := f.Value("expires")
	body.Presets = presets(v.Now(), body.Maximum, chosen)
	body.Default = defaultPreset(body.Presets)
	if !offers(body.Presets, chosen) && chosen != expiresUntil {
		f.Values.Set("expires", body.Default)
	}
	if !f.Values.Has("link") && byLink {
		f.Values.Set("link", "yes")
	}
	body.ByLink = f.Value("link") == "yes"
	v.render(status, "create", view{Title: "New token", Body: body})
	return nil
}

// presets are the choices that the maximum allows. The one that is chosen is among them,
// if it is a lifetime: a link may name any.
func presets(now time.Time, maximum int64, chosen string) (list []preset) {
	list = usualPresets(now, maximum)
	d, err := token.ParseLifetime(chosen)
	if err != nil || offers(list, chosen) || maximum != 0 && d > time.Duration(maximum)*time.Second {
		return list
	}
	return append([]preset{{chosen, lifetimeText(int64(d / time.Second)), now.Add(d)}}, list...)
}

func offers(list []preset, value string) bool {
	return slices.ContainsFunc(list, func(p preset) bool { return p.Value == value })
}

func usualPresets(now time.Time, maximum int64) (list []preset) {
	longest := time.Duration(maximum) * time.Second
	for _, days := range []int{7, 30, 90, 365} {
		if d := time.Duration(days) * day; maximum == 0 || d < longest {
			list = append(list, preset{token.FormatLifetime(d), countText(days, "day"), now.Add(d)})
		}
	}
	if maximum == 0 {
		return append(list, preset{Value: expiresNever, Label: "Never"})
	}
	return append(list, preset{token.FormatLifetime(longest), lifetimeText(maximum) + ", the maximum", now.Add(longest)})
}

// defaultPreset is 30 days, or the longest choice below.
func defaultPreset(list []preset) string {
	if offers(list, "30D") {
		return "30D"
	}
	return list[len(list)-1].Value
}

// create shows the summary, the form again, or makes the token.
func (v *visit) create() error {
	f := newForm(url.Values{})
	for _, name := range append(slices.Clone(createFields), "link", "maximum") {
		f.Values.Set(name, strings.ReplaceAll(v.r.PostForm.Get(name), "\r\n", "\n"))
	}
	if v.r.PostForm.Get("step") == "change" {
		return v.renderCreate(http.StatusOK, f, false)
	}
	wish, ends := v.wish(f)
	if !f.ok() {
		return v.renderCreate(http.StatusUnprocessableEntity, f, false)
	}
	if v.r.PostForm.Get("step") != "make" {
		v.render(http.StatusOK, "review", view{Title: "Check the new token", Body: createPage{Form: f, Wish: wish, Ends: ends, Key: rand.Text(), ByLink: f.Is("link", "yes")}})
		return nil
	}
	made, err := v.api.CreateWithKey(v.context(), v.r.PostForm.Get("key"), wish)
	if err != nil {
		status, err := f.take(err, createMembers)
		if err != nil {
			return err
		}
		return v.renderRefused(status, f)
	}
	return v.showSecret(made, "created")
}

// renderRefused shows the form after the API has refused the create, and so has read the
// user's stream. It does not ask for the maximum again: the form says which one it had.
// If the refusal is about the end of the token, this maximum may be too old.
func (v *visit) renderRefused(status int, f *form) error {
	maximum, err := strconv.ParseInt(f.Value("maximum"), 10, 64)
	if err != nil || maximum < 0 || maximum > math.MaxInt64/int64(time.Second) || f.Error("expires") != "" {
		return v.renderCreate(status, f, false)
	}
	return v.renderCreateWith(status, f, false, maximum)
}

// wish reads the form. It records what is wrong by the rules of the service, before
// the person sees a summary.
func (v *visit) wish(f *form) (in httpapi.CreateRequest, ends time.Time) {
	in = httpapi.CreateRequest{
		Name: strings.TrimSpace(f.Value("name")), Description: strings.TrimSpace(f.Value("description")),
		Scopes: linesOf(f.Value("scopes")), SourceIPs: linesOf(f.Value("source_ips")),
	}
	if in.Name != "" {
		f.check("name", name.CheckText("name", in.Name, token.MaxName))
	}
	if in.Description != "" {
		f.check("description", name.CheckText("description", in.Description, token.MaxDescription))
	}
	f.check("scopes", token.ValidScopes(in.Scopes))
	_, err := token.ParseSourceIPs(in.SourceIPs)
	f.check("source_ips", err)
	f.hideTokens(createFields...)
	if user := strings.TrimSpace(f.Value("user")); user != "" {
		if key, err := name.OwnerKey(user); f.check("user", err) {
			identity := name.IdentityOf(key)
			in.User = &identity
		}
	}
	return in, v.expiry(f, &in)
}

// expiry reads the choice for the end of the token.
func (v *visit) expiry(f *form, in *httpapi.CreateRequest) (ends time.Time) {
	switch chosen := f.Value("expires"); chosen {
	case expiresNever:
		return time.Time{}
	case expiresUntil:
		at, err := time.Parse(time.DateOnly, f.Value("until"))
		if err != nil {
			f.wrong("until", "Enter the last day as a date, like 2027-01-31.")
			return time.Time{}
		}
		in.ExpirationTime = httpapi.Time{Time: at.Add(day - time.Second)}
		if !in.ExpirationTime.After(v.Now()) {
			f.wrong("until", "The day is in the past. Choose today or a later day.")
		}
		return in.ExpirationTime.Time
	default:
		d, err := token.ParseLifetime(chosen)
		if err != nil {
			f.wrong("expires", "Choose when the token expires.")
			return time.Time{}
		}
		in.ExpiresIn = chosen
		return instant.Cut(v.Now().Add(d))
	}
}

// linesOf are the lines that are not blank.
func linesOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

var errNoSecret = errors.New("the answer of the service has no secret")
