package token

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// limited is the creation of a token of ann with scopes, ranges and an expiry.
var limited = events.TokenCreated{
	TokenID: "AAAAAAAA", Owner: "ann", Creator: "ann", Name: "ci", Description: "d", ExpiresAt: instant.Of(noon.Add(day)),
	Scopes: []string{"GET /v1/*"}, SourceIPs: prefixes("192.0.2.0/24"), Verifier: events.Verifier{Kid: "a", MAC: []byte("first")},
}

// updateOf returns an update of ann's token AAAAAAAA by herself, an hour after
// noon.
func updateOf(change func(*Update)) Update {
	c := Update{At: noon.Add(time.Hour), Policy: five, By: Maker{Owner: "ann", TokenID: "MMMMMMMM"}, ID: "AAAAAAAA", Owner: "ann"}
	if change != nil {
		change(&c)
	}
	return c
}

func TestAnUpdateHasTheChangedMembersOnly(t *testing.T) {
	disabled := given(noon, limited, events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"})
	rotated := given(noon, limited, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(2 * time.Hour))})
	about := func(change func(*events.TokenUpdated)) events.Fact {
		f := events.TokenUpdated{TokenID: "AAAAAAAA", Owner: "ann"}
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		given  State
		update func(*Update)
		want   []events.Fact
	}{
		"nothing":        {given(noon, limited), nil, nil},
		"not the member": {given(noon, limited), func(c *Update) { c.Name, c.Scopes = "x", []string{"GET /v1/x"} }, nil},
		"as it is": {given(noon, limited), func(c *Update) {
			c.Given = Members{true, true, true, true, true}
			c.Wish = Wish{Name: "ci", Description: "d", ExpiresIn: day, Scopes: limited.Scopes, SourceIPs: limited.SourceIPs}
			c.Enabled, c.EndOutgoing = new(true), true
		}, nil},
		"a name":            {given(noon, limited), func(c *Update) { c.Given.Name, c.Name = true, "new" }, []events.Fact{about(func(f *events.TokenUpdated) { f.Name = new("new") })}},
		"the default name":  {given(noon, limited), func(c *Update) { c.Given.Name = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.Name = new("ann_api_token") })}},
		"no description":    {given(noon, limited), func(c *Update) { c.Given.Description = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.Description = new("") })}},
		"other scopes":      {given(noon, limited), func(c *Update) { c.Given.Scopes, c.Scopes = true, []string{"* /"} }, []events.Fact{about(func(f *events.TokenUpdated) { f.Scopes = &[]string{"* /"} })}},
		"all scopes":        {given(noon, limited), func(c *Update) { c.Given.Scopes = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.Scopes = &[]string{} })}},
		"all addresses":     {given(noon, limited), func(c *Update) { c.Given.SourceIPs = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.SourceIPs = &[]netip.Prefix{} })}},
		"never":             {given(noon, limited), func(c *Update) { c.Given.Expiry = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.NeverExpires = true })}},
		"an instant":        {given(noon, limited), func(c *Update) { c.Given.Expiry, c.ExpiresAt = true, noon.Add(2*day) }, []events.Fact{about(func(f *events.TokenUpdated) { f.ExpiresAt = instant.Of(noon.Add(2 * day)) })}},
		"from its creation": {given(noon, limited), func(c *Update) { c.Given.Expiry, c.ExpiresIn = true, 2*day }, []events.Fact{about(func(f *events.TokenUpdated) { f.ExpiresAt = instant.Of(noon.Add(2 * day)) })}},
		"disabled":          {given(noon, limited), func(c *Update) { c.Enabled = new(false) }, []events.Fact{events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"}}},
		"disabled again":    {disabled, func(c *Update) { c.Enabled = new(false) }, nil},
		"enabled":           {disabled, func(c *Update) { c.Enabled = new(true) }, []events.Fact{events.TokenEnabled{TokenID: "AAAAAAAA", Owner: "ann"}}},
		"named and disabled": {given(noon, limited), func(c *Update) { c.Given.Name, c.Name, c.Enabled = true, "new", new(false) }, []events.Fact{
			about(func(f *events.TokenUpdated) { f.Name = new("new") }), events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"}}},
		"no outgoing secret":       {given(noon, limited), func(c *Update) { c.EndOutgoing = true }, nil},
		"the outgoing secret ends": {rotated, func(c *Update) { c.EndOutgoing = true }, []events.Fact{about(func(f *events.TokenUpdated) { f.PreviousSecretUntil = instant.Of(noon.Add(time.Hour)) })}},
		"it has ended":             {rotated, func(c *Update) { c.EndOutgoing, c.At = true, noon.Add(2*time.Hour) }, nil},
	} {
		got, err := Decide(c.given, updateOf(c.update))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// TestUpdateRefusals has updates of a token that ends a day after noon, with the
// scope GET /v1/* and the range 192.0.2.0/24.
func TestUpdateRefusals(t *testing.T) {
	live := given(noon, limited)
	disabled := given(noon, limited, events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"})
	suspended := given(noon, limited, events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA"}})
	editor := func(c *Update) { c.By = Maker{Owner: "bob", MayEdit: true} }
	creator := func(c *Update) { c.By = Maker{Owner: "bob", MayEdit: true, MayCreate: true} }
	expiry := func(c *Update, after time.Duration) { c.Given.Expiry, c.ExpiresAt = true, noon.Add(after) }
	scopes := func(c *Update, scopes ...string) { c.Given.Scopes, c.Scopes = true, scopes }
	ranges := func(c *Update, texts ...string) { c.Given.SourceIPs, c.SourceIPs = true, prefixes(texts...) }
	for name, c := range map[string]struct {
		given  State
		update func(*Update)
		code   string // empty: it succeeds
	}{
		"a bad name":         {live, func(c *Update) { c.Given.Name, c.Name = true, "a\nb" }, CodeInvalidField},
		"a missing token":    {live, func(c *Update) { c.ID = "XXXXXXXX" }, CodeNotFound},
		"an expired token":   {live, func(c *Update) { c.At = noon.Add(day) }, CodeEnded},
		"a suspended owner":  {suspended, nil, CodeUserSuspended},
		"suspended, by root": {suspended, func(c *Update) { c.By.Operator = true }, CodeUserSuspended},
		"its sequence":       {live, func(c *Update) { c.IfMatch = []uint64{7, 1} }, ""},
		"another sequence":   {live, func(c *Update) { c.IfMatch = []uint64{2} }, CodeVersionConflict},
		"no sequence":        {live, func(c *Update) { c.IfMatch = []uint64{} }, CodeVersionConflict},
		"expired and stale":  {live, func(c *Update) { c.At, c.IfMatch = noon.Add(day), []uint64{2} }, CodeEnded},
		"in the past":        {live, func(c *Update) { expiry(c, time.Hour) }, CodeExpiryInPast},
		"a past lifetime":    {live, func(c *Update) { c.Given.Expiry, c.ExpiresIn = true, time.Hour }, CodeExpiryInPast},
		"the maximum":        {live, func(c *Update) { expiry(c, 3*day); c.Policy.Expiration = 3 * day }, ""},
		"above the maximum":  {live, func(c *Update) { expiry(c, 3*day+tick); c.Policy.Expiration = 3 * day }, CodeExpiryTooLate},
		"never, a maximum":   {live, func(c *Update) { c.Given.Expiry, c.Policy.Expiration = true, 3*day }, CodeExpiryTooLate},
		"kept above it":      {live, func(c *Update) { expiry(c, day); c.Policy.Expiration = time.Hour }, ""},
		"its maker's expiry": {live, func(c *Update) { expiry(c, 2*day); c.By.ExpiresAt = noon.Add(2 * day) }, ""},
		"outlives its maker": {live, func(c *Update) { expiry(c, 2*day+tick); c.By.ExpiresAt = noon.Add(2 * day) }, CodeExpiryOutlives},
		"never, by a maker that ends": {live, func(c *Update) {
			c.Given.Expiry, c.By.ExpiresAt, c.By.MayCreate, c.By.MayEdit = true, noon.Add(2*day), true, true
		},
			CodeExpiryOutlives},
		"its own expiry": {live, func(c *Update) {
			expiry(c, 2*day)
			c.By = Maker{Owner: "ann", TokenID: "AAAAAAAA", ExpiresAt: noon.Add(day)}
		}, CodeExpiryOutlives},
		"earlier than a later token": {live, func(c *Update) { expiry(c, 3*time.Hour); c.By.ExpiresAt = noon.Add(2 * time.Hour) }, CodeExpiryOutlives},
		"a name, by one that ends":   {live, func(c *Update) { c.Given.Name, c.By.ExpiresAt = true, noon.Add(2*time.Hour) }, ""},
		"wider, by one that ends":    {live, func(c *Update) { scopes(c, "* /v1/*"); c.By.ExpiresAt = noon.Add(2 * time.Hour) }, CodeExpiryOutlives},
		"more addresses, by one":     {live, func(c *Update) { ranges(c); c.By.ExpiresAt = noon.Add(2 * time.Hour) }, CodeExpiryOutlives},
		"wider, by one that lives":   {live, func(c *Update) { scopes(c, "* /v1/*"); c.By.ExpiresAt = noon.Add(day) }, ""},
		"narrower, by one that ends": {live, func(c *Update) { scopes(c, "GET /v1/a"); c.By.ExpiresAt = noon.Add(2 * time.Hour) }, ""},
		"enabled, by one that ends":  {disabled, func(c *Update) { c.Enabled, c.By.ExpiresAt = new(true), noon.Add(2*time.Hour) }, CodeExpiryOutlives},
		"enabled, by one that lives": {disabled, func(c *Update) { c.Enabled, c.By.ExpiresAt = new(true), noon.Add(day) }, ""},
		"enabled and shortened by one": {disabled, func(c *Update) {
			expiry(c, 2*time.Hour)
			c.Enabled, c.By.ExpiresAt = new(true), noon.Add(2*time.Hour)
		}, ""},
		"enabled as it is, by one":   {live, func(c *Update) { c.Enabled, c.By.ExpiresAt = new(true), noon.Add(2*time.Hour) }, ""},
		"disabled, by one that ends": {live, func(c *Update) { c.Enabled, c.By.ExpiresAt = new(false), noon.Add(2*time.Hour) }, ""},
		"another's enabled, by one that ends": {disabled, func(c *Update) {
			editor(c)
			c.Enabled, c.By.ExpiresAt = new(true), noon.Add(2*time.Hour)
		}, ""},
		"an operator that ends":         {live, func(c *Update) { expiry(c, 9*day); c.By.Operator, c.By.ExpiresAt = true, noon.Add(day) }, ""},
		"beyond its maker before":       {live, func(c *Update) { scopes(c, "GET /v1/x"); c.By.Scopes = []string{"GET /v1/x"} }, CodeScopeExceeds},
		"beyond its maker after":        {live, func(c *Update) { scopes(c, "* /v1/*"); c.By.Scopes = []string{"GET /v1/*"} }, CodeScopeExceeds},
		"within its maker":              {live, func(c *Update) { scopes(c, "GET /v1/x"); c.By.Scopes = []string{"GET /v1/*"} }, ""},
		"a name beyond its maker":       {live, func(c *Update) { c.Given.Name, c.By.Scopes = true, []string{"POST /*"} }, CodeScopeExceeds},
		"enabled beyond its maker":      {live, func(c *Update) { c.Enabled, c.By.Scopes = new(true), []string{"POST /*"} }, CodeScopeExceeds},
		"ranges beyond before":          {live, func(c *Update) { c.By.SourceIPs = prefixes("192.0.2.0/25") }, CodeSourceIPsExceed},
		"ranges beyond after":           {live, func(c *Update) { ranges(c); c.By.SourceIPs = prefixes("192.0.2.0/24") }, CodeSourceIPsExceed},
		"another's, with nothing":       {live, func(c *Update) { c.By = Maker{Owner: "bob", MayCreate: true, MayDelete: true} }, CodePermissionDenied},
		"edit: a name":                  {live, func(c *Update) { editor(c); c.Given.Name = true }, ""},
		"edit: disable":                 {live, func(c *Update) { editor(c); c.Enabled = new(false) }, ""},
		"edit: fewer scopes":            {live, func(c *Update) { editor(c); scopes(c, "GET /v1/a", "GET /v1/b*") }, ""},
		"edit: other scopes":            {live, func(c *Update) { editor(c); scopes(c, "GET /v1/a", "POST /v1/a") }, CodePermissionDenied},
		"edit: all scopes":              {live, func(c *Update) { editor(c); scopes(c) }, CodePermissionDenied},
		"edit: fewer addresses":         {live, func(c *Update) { editor(c); ranges(c, "192.0.2.128/25") }, ""},
		"edit: all addresses":           {live, func(c *Update) { editor(c); ranges(c) }, CodePermissionDenied},
		"edit: earlier":                 {live, func(c *Update) { editor(c); expiry(c, day-tick) }, ""},
		"edit: later":                   {live, func(c *Update) { editor(c); expiry(c, day+tick) }, CodePermissionDenied},
		"edit: never":                   {live, func(c *Update) { editor(c); c.Given.Expiry = true }, CodePermissionDenied},
		"edit: fewer and later":         {live, func(c *Update) { editor(c); scopes(c, "GET /v1/a"); expiry(c, 2*day) }, CodePermissionDenied},
		"create and edit: later":        {live, func(c *Update) { creator(c); expiry(c, 2*day) }, ""},
		"create and edit: all scopes":   {live, func(c *Update) { creator(c); scopes(c) }, ""},
		"create and edit, more actions": {live, func(c *Update) { creator(c); c.By.LacksActions = true; scopes(c) }, CodeDeniedByOwner},
		"the same, narrower":            {live, func(c *Update) { creator(c); c.By.LacksActions = true; scopes(c, "GET /v1/a") }, ""},
		"create and edit, that ends":    {live, func(c *Update) { creator(c); expiry(c, 9*day); c.By.ExpiresAt = noon.Add(2 * time.Hour) }, ""},
		"at the rate":                   {live, func(c *Update) { c.Policy.ChangeRate, c.Given.Name, c.At = 1, true, noon }, CodeRateExceeded},
		"at the rate, nothing":          {live, func(c *Update) { c.Policy.ChangeRate, c.At = 1, noon }, ""},
		"at the rate, disable":          {live, func(c *Update) { c.Policy.ChangeRate, c.Enabled, c.At = 1, new(false), noon }, ""},
		"too large together": {live, func(c *Update) {
			c.Given, c.Wish = Members{Scopes: true, Description: true, SourceIPs: true}, Wish{Description: strings.Repeat("d", 512), SourceIPs: prefixes("192.0.2.0/24")}
			for range 16 {
				c.Scopes = append(c.Scopes, "GET /"+strings.Repeat("s", 123))
			}
			for i := range 15 {
				c.SourceIPs = append(c.SourceIPs, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, byte(i)}), 128))
			}
		}, CodeStateTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decide(c.given, updateOf(c.update))
			if codeOf(err) != c.code || (err != nil) != (c.code != "") {
				t.Errorf("got %v, want %q", err, c.code)
			}
		})
	}
}

func TestTheOutgoingSecretNeverOutlivesItsToken(t *testing.T) {
	s := given(noon, limited, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(3 * time.Hour))})
	s = Fold(s, events.TokenUpdated{TokenID: "AAAAAAAA", Owner: "ann", ExpiresAt: instant.Of(noon.Add(2 * time.Hour))}, noon)
	s = Fold(s, events.TokenUpdated{TokenID: "AAAAAAAA", Owner: "ann", NeverExpires: true}, noon)
	if v := s.Tokens[0]; !v.OutgoingUntil.Equal(noon.Add(2*time.Hour)) || !v.ExpiresAt.IsZero() {
		t.Errorf("it ends at %v and the token at %v, want two hours after noon and never", v.OutgoingUntil, v.ExpiresAt)
	}
}
