package page

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"apitoken/events/name"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// functions are what the templates may call.
var functions = template.FuncMap{
	"asset":    assetPath,
	"instant":  instantText,
	"machine":  machineText,
	"relative": relativeText,
	"user":     userText,
	"owner":    ownerText,
	"lines":    func(list []string) string { return strings.Join(list, "\n") },
	"field":    newField,
	"boxes":    newPermissions,
	"state":    stateOf,
	"lifetime": lifetimeText,
	"link":     linkTo,
	"at":       momentOf,
	"about":    aboutToken,
	"query":    queryOf,
}

// moment is an instant for people, who also want to know how far it is.
type moment struct {
	At, Now time.Time
}

func momentOf(at any, now time.Time) (moment, error) {
	switch at := at.(type) {
	case httpapi.Time:
		return moment{at.Time, now}, nil
	case time.Time:
		return moment{at, now}, nil
	}
	return moment{}, fmt.Errorf("%T is no instant", at)
}

// navLink is one link of the navigation.
type navLink struct {
	Address, Label string
	Here           bool
}

func linkTo(page view, path, address, label string) navLink {
	return navLink{address, label, page.Signed && page.Here == path}
}

// tokenFacts is a token with the time of the page.
type tokenFacts struct {
	Entry httpapi.Entry
	Now   time.Time
}

func aboutToken(p tokenPage, now time.Time) tokenFacts { return tokenFacts{p.Entry, now} }

// queryOf is a query with these parameters: names and values in turn.
func queryOf(pairs ...string) template.URL {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return template.URL(q.Encode()) // Encode has escaped all of it
}

// instantText is an instant for people, in UTC.
func instantText(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// machineText is an instant for the attribute datetime.
func machineText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// relativeText says how far an instant is, like "in 12 days" and "3 hours ago". It
// rounds down, so a person never believes to have more time.
func relativeText(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d >= time.Minute:
		return "in " + distance(d)
	case d > 0:
		return "in less than a minute"
	case d > -time.Minute:
		return "just now"
	}
	return distance(-d) + " ago"
}

const day = 24 * time.Hour

func distance(d time.Duration) string {
	switch {
	case d >= 2*day:
		return countText(int(d/day), "day")
	case d >= time.Hour:
		return countText(int(d/time.Hour), "hour")
	}
	return countText(int(d/time.Minute), "minute")
}

// countText is a number with its noun: "1 day", "2 days".
func countText(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// lifetimeText is a number of seconds for people.
func lifetimeText(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case seconds == 0:
		return "none"
	case d%day == 0:
		return countText(int(d/day), "day")
	case d%time.Hour == 0:
		return countText(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return countText(int(d/time.Minute), "minute")
	}
	return countText(int(d/time.Second), "second")
}

// lifetimeField is a number of seconds as a person writes it in a form, like 180D.
func lifetimeField(seconds int64) string {
	if seconds == 0 {
		return "0"
	}
	return token.FormatLifetime(time.Duration(seconds) * time.Second)
}

// secondsOf reads what lifetimeField writes, and every other lifetime.
func secondsOf(text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	d, err := token.ParseLifetime(text)
	return int64(d / time.Second), err
}

// ownerText is a user as lists and addresses name it.
func ownerText(i name.Identity) string {
	key, err := i.Key()
	if err != nil {
		return i.Name
	}
	return key
}

// userText is a user for people: the name, or else the key.
func userText(i name.Identity) string { return cmp.Or(i.Name, ownerText(i)) }

// stateOf returns the sign and the word for the state of a token. The sign has a
// shape of its own for each state, so that no one needs to see a colour.
func stateOf(e httpapi.Entry) stateView {
	signs := map[string]string{"active": "●", "disabled": "◐", "expired": "○", "revoked": "✕"}
	words := map[string]string{"active": "Active", "disabled": "Disabled", "expired": "Expired", "revoked": "Revoked"}
	return stateView{e.State, cmp.Or(signs[e.State], "?"), cmp.Or(words[e.State], e.State)}
}

type stateView struct{ Class, Sign, Word string }
