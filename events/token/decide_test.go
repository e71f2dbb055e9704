package token

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC)

// tick is the smallest time that the service counts.
const tick = time.Microsecond

// hour is the start of the hour of noon.
var hour = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// five is a policy with a limit of five tokens and no expiration.
var five = Policy{TokenLimit: 5, Retention: 400 * day}

// ann returns a command of ann: a token for herself. A test changes the members
// that the test is about.
func ann(change func(*Create)) Create {
	c := Create{
		At: noon, Policy: five, By: Maker{Owner: "ann", TokenID: "MMMMMMMM"},
		ID: "L7k8ljIC", Owner: "ann", Verifier: events.Verifier{Kid: "a", MAC: []byte("mac")},
	}
	if change != nil {
		change(&c)
	}
	return c
}

// given returns the state after facts that happened at the time at.
func given(at time.Time, facts ...events.Fact) (s State) {
	for _, f := range facts {
		s = Fold(s, f, at)
	}
	return s
}

// owned is the creation of a token of ann.
func owned(id string, expires time.Time) events.Fact {
	return events.TokenCreated{TokenID: id, Owner: "ann", Creator: "ann", Name: id, ExpiresAt: instant.Of(expires)}
}

// several returns the creations of n tokens of ann with this expiry. kind is the
// first letter of each id.
func several(n int, kind string, expires time.Time) (facts []events.Fact) {
	for i := range n {
		facts = append(facts, owned(kind+string(rune('A'+i/26))+string(rune('a'+i%26))+"00000", expires))
	}
	return facts
}

func TestCreateLeadsToAFactWithAllMembers(t *testing.T) {
	c := ann(func(c *Create) {
		c.Name, c.Description, c.ExpiresIn = "ci", "nightly builds", 180*day
		c.Scopes, c.SourceIPs = []string{"GET /v1/things/*"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	got, err := Decide(State{}, c)
	want := []events.Fact{events.TokenCreated{
		TokenID: "L7k8ljIC", Owner: "ann", Creator: "ann", Name: "ci", Description: "nightly builds", ExpiresAt: instant.Of(noon.Add(180 * day)),
		Scopes: c.Scopes, SourceIPs: c.SourceIPs, MadeWith: "MMMMMMMM", Verifier: c.Verifier,
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// created returns the last fact that the command leads to: the creation.
func created(t testing.TB, s State, c Create) events.TokenCreated {
	t.Helper()
	facts, err := Decide(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return facts[len(facts)-1].(events.TokenCreated)
}

func TestDefaults(t *testing.T) {
	long := "ACTIVE_DIRECTORY:" + strings.Repeat("é", 60) // 137 bytes
	for name, c := range map[string]struct {
		create Create
		want   events.TokenCreated
	}{
		"a name, no description, no expiry":  {ann(nil), events.TokenCreated{Owner: "ann", Creator: "ann", Name: "ann_api_token"}},
		"of the owner, not the creator":      {ann(func(c *Create) { c.Owner, c.By.MayCreate = "bob", true }), events.TokenCreated{Owner: "bob", Creator: "ann", Name: "bob_api_token"}},
		"a long owner is cut between runes":  {ann(func(c *Create) { c.Owner, c.By.Owner = long, long }), events.TokenCreated{Owner: long, Creator: long, Name: "ACTIVE_DIRECTORY:" + strings.Repeat("é", 50) + "_api_token"}},
		"the policy's expiry":                {ann(func(c *Create) { c.Policy.Expiration = day }), events.TokenCreated{Owner: "ann", Creator: "ann", Name: "ann_api_token", ExpiresAt: instant.Of(noon.Add(day))}},
		"an empty list is no scopes":         {ann(func(c *Create) { c.Scopes, c.SourceIPs = []string{}, []netip.Prefix{} }), events.TokenCreated{Owner: "ann", Creator: "ann", Name: "ann_api_token"}},
		"a time of another zone becomes UTC": {ann(func(c *Create) { c.ExpiresAt = noon.Add(tick).In(time.FixedZone("", 3600)) }), events.TokenCreated{Owner: "ann", Creator: "ann", Name: "ann_api_token", ExpiresAt: instant.Of(noon.Add(tick))}},
		"a time is cut to microseconds":      {ann(func(c *Create) { c.ExpiresAt = noon.Add(2*tick - 1) }), events.TokenCreated{Owner: "ann", Creator: "ann", Name: "ann_api_token", ExpiresAt: instant.Of(noon.Add(tick))}},
	} {
		got := created(t, State{}, c.create)
		c.want.TokenID, c.want.Verifier = c.create.ID, c.create.Verifier
		if c.want.Owner == c.create.By.Owner {
			c.want.MadeWith = c.create.By.TokenID
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	expiring := func(c *Create) { c.By.ExpiresAt = noon.Add(day) }
	scoped := func(c *Create) { c.By.Scopes = []string{"GET /v1/*"} }
	ranged := func(c *Create) { c.By.SourceIPs = prefixes("192.0.2.0/24") }
	everything := func(c *Create) { c.By.MayCreate, c.By.MayEdit, c.By.MayDelete = true, true, true }
	for name, c := range map[string]struct {
		create      Create
		code, field string // no code: it succeeds
	}{
		"the longest owner":         {ann(func(c *Create) { c.Owner = strings.Repeat("n", 256); c.By.Owner = c.Owner }), "", ""},
		"a longer one":              {ann(func(c *Create) { c.Owner = strings.Repeat("n", 257); c.By.Owner = c.Owner }), CodeInvalidField, "user"},
		"no owner":                  {ann(func(c *Create) { c.Owner = "" }), CodeInvalidField, "user"},
		"a group":                   {ann(func(c *Create) { c.Owner = "gid:100" }), CodeInvalidField, "user"},
		"an owner, not canonical":   {ann(func(c *Create) { c.Owner = "local:ann" }), CodeInvalidField, "user"},
		"the longest name":          {ann(func(c *Create) { c.Name = strings.Repeat("n", 128) }), "", ""},
		"a longer name":             {ann(func(c *Create) { c.Name = strings.Repeat("n", 129) }), CodeInvalidField, "name"},
		"bytes, not letters, count": {ann(func(c *Create) { c.Name = strings.Repeat("é", 65) }), CodeInvalidField, "name"},
		"a line break in a name":    {ann(func(c *Create) { c.Name = "a\nb" }), CodeInvalidField, "name"},
		"a C1 control in a name":    {ann(func(c *Create) { c.Name = "a\u009bb" }), CodeInvalidField, "name"},
		"a name that is no UTF-8":   {ann(func(c *Create) { c.Name = "a\xffb" }), CodeInvalidField, "name"},
		"the longest description":   {ann(func(c *Create) { c.Description = strings.Repeat("d", 512) }), "", ""},
		"a longer description":      {ann(func(c *Create) { c.Description = strings.Repeat("d", 513) }), CodeInvalidField, "description"},
		"a NUL in a description":    {ann(func(c *Create) { c.Description = "\x00" }), CodeInvalidField, "description"},
		"signs that HTML escapes": {ann(func(c *Create) {
			c.Description, c.Scopes = strings.Repeat("<", 512), slices.Repeat([]string{"GET /" + strings.Repeat("&", 123)}, 8)
		}), "", ""},
		"16 scopes of 128 bytes":    {ann(func(c *Create) { c.Scopes = slices.Repeat([]string{"GET /" + strings.Repeat("s", 123)}, 16) }), "", ""},
		"17 scopes":                 {ann(func(c *Create) { c.Scopes = slices.Repeat([]string{"GET /"}, 17) }), CodeInvalidField, "scopes"},
		"a scope of 129 bytes":      {ann(func(c *Create) { c.Scopes = []string{"GET /" + strings.Repeat("s", 124)} }), CodeInvalidField, "scopes"},
		"16 ranges":                 {ann(func(c *Create) { c.SourceIPs = slices.Repeat(prefixes("192.0.2.0/24"), 16) }), "", ""},
		"17 ranges":                 {ann(func(c *Create) { c.SourceIPs = slices.Repeat(prefixes("192.0.2.0/24"), 17) }), CodeInvalidField, "source_ips"},
		"a range with host bits":    {ann(func(c *Create) { c.SourceIPs = prefixes("192.0.2.7/24") }), CodeInvalidField, "source_ips"},
		"no range at all":           {ann(func(c *Create) { c.SourceIPs = make([]netip.Prefix, 1) }), CodeInvalidField, "source_ips"},
		"an IPv4-mapped range":      {ann(func(c *Create) { c.SourceIPs = prefixes("::ffff:192.0.2.0/120") }), CodeInvalidField, "source_ips"},
		"an instant and a lifetime": {ann(func(c *Create) { c.ExpiresAt, c.ExpiresIn = noon.Add(day), day }), CodeInvalidField, "expires_in"},
		"a negative lifetime":       {ann(func(c *Create) { c.ExpiresIn = -1 }), CodeInvalidField, "expires_in"},
		"beyond RFC 3339":           {ann(func(c *Create) { c.ExpiresAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) }), CodeInvalidField, "expiration_time"},
		"the last instant":          {ann(func(c *Create) { c.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC) }), "", ""},

		"a microsecond ago":            {ann(func(c *Create) { c.ExpiresAt = noon.Add(-tick) }), CodeExpiryInPast, "expiration_time"},
		"now":                          {ann(func(c *Create) { c.ExpiresAt = noon }), CodeExpiryInPast, "expiration_time"},
		"now, in the same microsecond": {ann(func(c *Create) { c.ExpiresAt = noon.Add(tick - 1) }), CodeExpiryInPast, "expiration_time"},
		"in a microsecond":             {ann(func(c *Create) { c.ExpiresAt = noon.Add(tick) }), "", ""},
		"the longest lifetime":         {ann(func(c *Create) { c.Policy.Expiration, c.ExpiresIn = day, day }), "", ""},
		"a longer lifetime":            {ann(func(c *Create) { c.Policy.Expiration, c.ExpiresIn = day, day+tick }), CodeExpiryTooLate, "expires_in"},
		"the latest instant":           {ann(func(c *Create) { c.Policy.Expiration, c.ExpiresAt = day, noon.Add(day) }), "", ""},
		"a later instant":              {ann(func(c *Create) { c.Policy.Expiration, c.ExpiresAt = day, noon.Add(day+tick) }), CodeExpiryTooLate, "expiration_time"},
		"the maximum for operators":    {ann(func(c *Create) { c.Policy.Expiration, c.ExpiresIn, c.By.Operator = day, day+tick, true }), CodeExpiryTooLate, "expires_in"},
		"as long as its maker":         {ann(func(c *Create) { expiring(c); c.ExpiresIn = day }), "", ""},
		"longer than its maker":        {ann(func(c *Create) { expiring(c); c.ExpiresIn = day + tick }), CodeExpiryOutlives, "expires_in"},
		"later than its maker":         {ann(func(c *Create) { expiring(c); c.ExpiresAt = noon.Add(day + tick) }), CodeExpiryOutlives, "expiration_time"},
		"longer, with create":          {ann(func(c *Create) { expiring(c); c.ExpiresIn, c.By.MayCreate = day+tick, true }), CodeExpiryOutlives, "expires_in"},
		"later, with create":           {ann(func(c *Create) { expiring(c); c.ExpiresAt, c.By.MayCreate = noon.Add(day+tick), true }), CodeExpiryOutlives, "expiration_time"},
		"longer, with everything":      {ann(func(c *Create) { expiring(c); everything(c); c.ExpiresIn = day + tick }), CodeExpiryOutlives, "expires_in"},
		"as long, with everything":     {ann(func(c *Create) { expiring(c); everything(c); c.ExpiresIn = day }), "", ""},
		"longer, for another":          {ann(func(c *Create) { expiring(c); c.ExpiresIn, c.By.MayCreate, c.Owner = day+tick, true, "bob" }), "", ""},
		"too late and longer":          {ann(func(c *Create) { expiring(c); c.Policy.Expiration, c.ExpiresIn = 2*day, 3*day }), CodeExpiryTooLate, "expires_in"},
		"longer, by an operator":       {ann(func(c *Create) { expiring(c); c.ExpiresIn, c.By.Operator = day+tick, true }), "", ""},
		"a maker that has expired":     {ann(func(c *Create) { c.By.ExpiresAt = noon }), CodeExpiryInPast, "expiration_time"},
		"for another":                  {ann(func(c *Create) { c.Owner = "bob" }), CodePermissionDenied, "user"},
		"for another, with edit":       {ann(func(c *Create) { c.Owner, c.By.MayEdit, c.By.MayDelete = "bob", true, true }), CodePermissionDenied, "user"},
		"for another, with create":     {ann(func(c *Create) { c.Owner, c.By.MayCreate = "bob", true }), "", ""},
		"another with more":            {ann(func(c *Create) { everything(c); c.Owner, c.By.LacksActions = "bob", true }), CodeDeniedByOwner, "user"},
		"no create, and more":          {ann(func(c *Create) { c.Owner, c.By.LacksActions = "bob", true }), CodePermissionDenied, "user"},
		"more, for its own owner":      {ann(func(c *Create) { c.By.LacksActions = true }), "", ""},
		"more, as operator":            {ann(func(c *Create) { c.Owner, c.By.LacksActions, c.By.Operator = "bob", true, true }), "", ""},
		"for another, as operator":     {ann(func(c *Create) { c.Owner, c.By.Operator = "bob", true }), "", ""},
		"within the maker's scopes":    {ann(func(c *Create) { scoped(c); c.Scopes = []string{"GET /v1/things"} }), "", ""},
		"beyond them":                  {ann(func(c *Create) { scoped(c); c.Scopes = []string{"GET /v1/things", "GET /v2"} }), CodeScopeExceeds, "scopes"},
		"none, though the maker has":   {ann(scoped), CodeScopeExceeds, "scopes"},
		"beyond them, with create":     {ann(func(c *Create) { scoped(c); c.By.MayCreate = true }), CodeScopeExceeds, "scopes"},
		"none, for another":            {ann(func(c *Create) { scoped(c); everything(c); c.Owner = "bob" }), CodeScopeExceeds, "scopes"},
		"all, for another":             {ann(func(c *Create) { scoped(c); everything(c); c.Owner, c.Scopes = "bob", []string{"* /*"} }), CodeScopeExceeds, "scopes"},
		"another method, for one":      {ann(func(c *Create) { scoped(c); everything(c); c.Owner, c.Scopes = "bob", []string{"POST /v1/*"} }), CodeScopeExceeds, "scopes"},
		"within, for another":          {ann(func(c *Create) { scoped(c); everything(c); c.Owner, c.Scopes = "bob", []string{"GET /v1/*"} }), "", ""},
		"beyond them, as operator":     {ann(func(c *Create) { scoped(c); ranged(c); c.By.Operator = true }), "", ""},
		"within the maker's ranges":    {ann(func(c *Create) { ranged(c); c.SourceIPs = prefixes("192.0.2.8/29") }), "", ""},
		"beyond the ranges":            {ann(func(c *Create) { ranged(c); c.SourceIPs = prefixes("192.0.0.0/16") }), CodeSourceIPsExceed, "source_ips"},
		"no ranges, though it has":     {ann(ranged), CodeSourceIPsExceed, "source_ips"},
		"no ranges, for another":       {ann(func(c *Create) { ranged(c); everything(c); c.Owner = "bob" }), CodeSourceIPsExceed, "source_ips"},
		"more, for another":            {ann(func(c *Create) { ranged(c); everything(c); c.Owner, c.SourceIPs = "bob", prefixes("0.0.0.0/0") }), CodeSourceIPsExceed, "source_ips"},
		"one more, for another": {ann(func(c *Create) {
			ranged(c)
			everything(c)
			c.Owner, c.SourceIPs = "bob", prefixes("192.0.2.0/24", "192.0.3.0/32")
		}), CodeSourceIPsExceed, "source_ips"},
		"its ranges, for another": {ann(func(c *Create) { ranged(c); everything(c); c.Owner, c.SourceIPs = "bob", prefixes("192.0.2.0/24") }), "", ""},
		"no slot":                 {ann(func(c *Create) { c.Policy.TokenLimit = 0 }), CodeLimitReached, ""},
		"no slot, as operator":    {ann(func(c *Create) { c.Policy.TokenLimit, c.By.Operator = 0, true }), CodeLimitReached, ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := Decide(State{}, c.create)
			if c.code == "" {
				if err != nil || len(facts) != 1 {
					t.Errorf("got %v, %v, want a token", facts, err)
				}
				return
			}
			if r := refusal(t, err, c.code); r.Field != c.field || facts != nil || r.Detail == "" {
				t.Errorf("got field %q and facts %v, want field %q and none", r.Field, facts, c.field)
			}
		})
	}
}

// TestRefusalsComeInOrder has a command with one fault of each kind, and corrects
// one fault after the other.
func TestRefusalsComeInOrder(t *testing.T) {
	s := given(noon, several(5, "l", time.Time{})...)
	c := ann(func(c *Create) {
		c.Name, c.Owner, c.ExpiresIn, c.Policy.Expiration = "\n", "bob", 2*day, day
		c.By.Scopes, c.By.SourceIPs, c.By.LacksActions = []string{"GET /v1/*"}, prefixes("192.0.2.0/24"), true
		c.Policy.ChangeRate = 5
	})
	for _, step := range []struct {
		code    string
		correct func()
	}{
		{CodeInvalidField, func() { c.Name = "" }},
		{CodePermissionDenied, func() { c.By.MayCreate = true }},
		{CodeDeniedByOwner, func() { c.By.LacksActions = false }},
		{CodeScopeExceeds, func() { c.Scopes = c.By.Scopes }},
		{CodeSourceIPsExceed, func() { c.SourceIPs = c.By.SourceIPs }},
		{CodeExpiryTooLate, func() { c.ExpiresIn = day }},
		{CodeLimitReached, func() { c.Policy.TokenLimit = 6 }},
		{CodeRateExceeded, func() { c.Policy.ChangeRate = 6 }},
	} {
		_, err := Decide(s, c)
		refusal(t, err, step.code)
		step.correct()
	}
	if _, err := Decide(s, c); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheDefaultIsShortenedToTheMakersExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		maximum, maker, asked, want time.Duration // after noon; zero: never, or none wanted
		change                      func(*Create) // nil: none
	}{
		"neither":                 {0, 0, 0, 0, nil},
		"the maximum":             {2 * day, 0, 0, 2 * day, nil},
		"the maker's":             {0, day, 0, day, nil},
		"the earlier: the maker":  {2 * day, day, 0, day, nil},
		"the earlier: the policy": {day, 2 * day, 0, day, nil},
		"a wanted expiry":         {2 * day, 2 * day, time.Hour, time.Hour, nil},
		"with create":             {0, day, 0, day, func(c *Create) { c.By.MayCreate = true }},
		"with everything":         {2 * day, day, 0, day, func(c *Create) { c.By.MayCreate, c.By.MayEdit, c.By.MayDelete = true, true, true }},
		"for another: no limit":   {0, day, 0, 0, func(c *Create) { c.By.MayCreate, c.Owner = true, "bob" }},
		"for another: the policy": {2 * day, day, 0, 2 * day, func(c *Create) { c.By.MayCreate, c.Owner = true, "bob" }},
		"an operator: no limit":   {0, day, 0, 0, func(c *Create) { c.By.Operator = true }},
	} {
		create := ann(func(create *Create) {
			create.Policy.Expiration, create.ExpiresIn = c.maximum, c.asked
			if c.maker > 0 {
				create.By.ExpiresAt = noon.Add(c.maker)
			}
			if c.change != nil {
				c.change(create)
			}
		})
		want := time.Time{}
		if c.want > 0 {
			want = noon.Add(c.want)
		}
		if got := created(t, State{}, create).ExpiresAt; !got.Equal(want) {
			t.Errorf("%s: it expires at %v, want %v", name, got, want)
		}
	}
}

func TestTheRefusalNamesTheMaximum(t *testing.T) {
	_, err := Decide(State{}, ann(func(c *Create) { c.Policy.Expiration, c.ExpiresIn = 180*day, 181*day }))
	if r := refusal(t, err, CodeExpiryTooLate); !strings.Contains(r.Detail, "180D") || !strings.Contains(r.Detail, "2027-05-20T12:00:00") {
		t.Errorf("the refusal does not name the maximum: %s", r.Detail)
	}
}

func TestTheLimitCountsTokensThatAreLiveAtTheTime(t *testing.T) {
	soon := noon.Add(time.Hour)
	history := append(several(3, "l", time.Time{}), append(several(1, "s", soon), several(4, "e", noon)...)...)
	for name, c := range map[string]struct {
		at   time.Time
		live int // of five; 5 or more: refused
	}{
		"a microsecond before four expire": {noon.Add(-tick), 8},
		"the instant they expire":          {noon, 4},
		"a microsecond later":              {noon.Add(tick), 4},
		"a microsecond before the fifth":   {soon.Add(-tick), 4},
	} {
		s := given(noon.Add(-day), history...)
		facts, err := Decide(s, ann(func(create *Create) { create.At = c.at }))
		if c.live < 5 {
			if err != nil || len(facts) != 5 {
				t.Errorf("%s: got %d facts, %v, want four expiries and a token", name, len(facts), err)
			}
			continue
		}
		want := events.LimitReached{TokenLimit: 5, Live: c.live, SoonestExpiry: noon}
		if r := refusal(t, err, CodeLimitReached); r.Limit == nil || *r.Limit != want {
			t.Errorf("%s: got %+v, want %+v", name, r.Limit, want)
		}
	}
}

func TestADisabledTokenTakesASlot(t *testing.T) {
	s := given(noon.Add(-day), several(5, "l", time.Time{})...)
	s.Tokens[2].Disabled = true
	_, err := Decide(s, ann(nil))
	if r := refusal(t, err, CodeLimitReached); !r.Limit.SoonestExpiry.IsZero() {
		t.Errorf("no token expires, but the soonest expiry is %v", r.Limit.SoonestExpiry)
	}
}

func TestEveryCommandFirstRecordsPastExpiries(t *testing.T) {
	s := given(noon.Add(-day), append(several(25, "e", noon.Add(-time.Hour)), several(2, "l", noon.Add(tick))...)...)
	rows := map[string]bool{}
	for _, command := range []Command{
		ann(nil),
		Revoke{At: noon, Policy: five, By: Maker{Owner: "ann"}, ID: s.Tokens[26].ID, Owner: "ann"},
		Update{At: noon, Policy: five, By: Maker{Owner: "ann"}, ID: s.Tokens[26].ID, Owner: "ann", Given: Members{Name: true}},
		Rotate{At: noon, Policy: five, By: Maker{Owner: "ann"}, ID: s.Tokens[26].ID, Owner: "ann"},
		RevokeShown{At: noon, ID: s.Tokens[26].ID, Owner: "ann"}, // these tokens have the zero verifier
		Suspend{At: noon, By: Maker{Operator: true}, Owner: "ann"},
		Offboard{At: noon, By: Maker{Operator: true}, Owner: "ann"},
		SetLimit{At: noon, By: Maker{Operator: true}, Owner: "ann", Limit: new(7)},
		Reinstate{At: noon, By: Maker{Operator: true}, Owner: "ann"},
		Expire{At: noon, Owner: "ann"},
	} {
		name := reflect.TypeOf(command).Name()
		rows[name] = true
		if name == "Expire" {
			continue // TestExpireRecordsPastExpiriesOnly
		}
		s.Suspended = name == "Reinstate"
		facts, err := Decide(s, command)
		if err != nil || len(facts) != 21 {
			t.Fatalf("%s: got %d facts, %v, want 20 expiries and one more", name, len(facts), err)
		}
		for i, f := range facts[:20] {
			want := events.TokenExpired{TokenID: s.Tokens[i].ID, Owner: "ann", ExpiresAt: instant.Of(noon.Add(-time.Hour))}
			if f != events.Fact(want) {
				t.Errorf("%s: fact %d is %+v, want %+v", name, i, f, want)
			}
		}
		if _, expired := facts[20].(events.TokenExpired); expired {
			t.Errorf("%s: the last fact is an expiry", name)
		}
		for _, f := range facts {
			s = Fold(s, f, noon)
		}
		if n := len(unrecorded(s, noon, 100)); n != 5 {
			t.Errorf("%s: %d expiries are left for the next command, want 5", name, n)
		}
		s = given(noon.Add(-day), append(several(25, "e", noon.Add(-time.Hour)), several(2, "l", noon.Add(tick))...)...)
	}
	for _, name := range declaredCommands(t) {
		if !rows[name] {
			t.Errorf("TestEveryCommandFirstRecordsPastExpiries (decide_test.go) has no row for the command %s", name)
		}
	}
}

func TestRevoke(t *testing.T) {
	s := given(noon.Add(-day), owned("AAAAAAAA", time.Time{}), owned("BBBBBBBB", noon), owned("CCCCCCCC", time.Time{}), events.TokenRevoked{TokenID: "CCCCCCCC", Owner: "ann"})
	for name, c := range map[string]struct {
		by    Maker
		id    string
		at    time.Time // zero: noon
		code  string
		cause events.Cause
	}{
		"its own":                       {Maker{Owner: "ann"}, "AAAAAAAA", time.Time{}, "", events.CauseUser},
		"the acting token, with scopes": {Maker{Owner: "ann", TokenID: "AAAAAAAA", Scopes: []string{"DELETE /v1/*"}}, "AAAAAAAA", time.Time{}, "", events.CauseUser},
		"another user's":                {Maker{Owner: "bob", MayCreate: true, MayEdit: true}, "AAAAAAAA", time.Time{}, CodePermissionDenied, ""},
		"another user's, missing":       {Maker{Owner: "bob"}, "XXXXXXXX", time.Time{}, CodePermissionDenied, ""},
		"another user's, with delete":   {Maker{Owner: "bob", MayDelete: true}, "AAAAAAAA", time.Time{}, "", events.CauseAdmin},
		"another user's, as operator":   {Maker{Owner: "operator", Operator: true}, "AAAAAAAA", time.Time{}, "", events.CauseAdmin},
		"its own, with delete":          {Maker{Owner: "ann", MayDelete: true}, "AAAAAAAA", time.Time{}, "", events.CauseUser},
		"its own, as operator":          {Maker{Owner: "ann", Operator: true}, "AAAAAAAA", time.Time{}, "", events.CauseAdmin},
		"a missing token":               {Maker{Owner: "ann"}, "XXXXXXXX", time.Time{}, CodeNotFound, ""},
		"a revoked token":               {Maker{Owner: "ann"}, "CCCCCCCC", time.Time{}, CodeNotFound, ""},
		"a token that expires now":      {Maker{Owner: "ann"}, "BBBBBBBB", noon, CodeNotFound, ""},
		"a token that expires in 1 µs":  {Maker{Owner: "ann"}, "BBBBBBBB", noon.Add(-tick), "", events.CauseUser},
	} {
		at := c.at
		if at.IsZero() {
			at = noon.Add(-tick)
		}
		facts, err := Decide(s, Revoke{At: at, Policy: five, By: c.by, ID: c.id, Owner: "ann"})
		if c.code != "" {
			if r := refusal(t, err, c.code); c.code == CodeNotFound && *r != *NotFound() {
				t.Errorf("%s: got %+v, want the one text for every missing token", name, r)
			}
			continue
		}
		want := []events.Fact{events.TokenRevoked{TokenID: c.id, Owner: "ann", Cause: c.cause}}
		if err != nil || !reflect.DeepEqual(facts, want) {
			t.Errorf("%s: got %v, %v, want %v", name, facts, err, want)
		}
	}
}

func TestFactsComeInTheOrderOfCreation(t *testing.T) {
	s := given(noon.Add(-day), owned("BBBBBBBB", noon), owned("AAAAAAAA", noon))
	facts, err := Decide(s, ann(nil))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, f := range facts {
		switch f := f.(type) {
		case events.TokenExpired:
			order = append(order, f.TokenID)
		case events.TokenCreated:
			order = append(order, f.TokenID)
		}
	}
	if want := []string{"BBBBBBBB", "AAAAAAAA", "L7k8ljIC"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want the order of creation, %v", order, want)
	}
}
