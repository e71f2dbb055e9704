package token

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// rotationOf returns a rotation of ann's token AAAAAAAA with another token of
// ann, an hour after noon.
func rotationOf(change func(*Rotate)) Rotate {
	p := five
	p.RotationGrace = 2 * time.Hour
	c := Rotate{
		At: noon.Add(time.Hour), Policy: p, By: Maker{Owner: "ann", TokenID: "MMMMMMMM"}, ID: "AAAAAAAA", Owner: "ann",
		Verifier: events.Verifier{Kid: "b", MAC: []byte("second")},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func self(c *Rotate) {
	c.By = Maker{Owner: "ann", TokenID: "AAAAAAAA", Scopes: limited.Scopes, SourceIPs: limited.SourceIPs, ExpiresAt: limited.ExpiresAt.Time}
}

func TestRotateGivesANewSecretAndAnEndToTheOldOne(t *testing.T) {
	for name, c := range map[string]struct {
		rotate func(*Rotate)
		until  time.Duration // after noon
		self   bool
	}{
		"the policy's grace":       {nil, 3 * time.Hour, false},
		"a given grace":            {func(c *Rotate) { c.Grace = new(time.Minute) }, time.Hour + time.Minute, false},
		"none":                     {func(c *Rotate) { c.Grace = new(time.Duration(0)) }, time.Hour, false},
		"no policy":                {func(c *Rotate) { c.Policy.RotationGrace = 0 }, time.Hour, false},
		"until the expiry":         {func(c *Rotate) { c.Grace = new(2 * day) }, day, false},
		"at the limit":             {func(c *Rotate) { c.Policy.TokenLimit = 0 }, 3 * time.Hour, false},
		"itself":                   {self, 3 * time.Hour, true},
		"itself, a short policy":   {func(c *Rotate) { self(c); c.Policy.RotationGrace = time.Second }, time.Hour + 5*time.Minute, true},
		"itself, five minutes":     {func(c *Rotate) { self(c); c.Grace = new(5 * time.Minute) }, time.Hour + 5*time.Minute, true},
		"itself, before its end":   {func(c *Rotate) { self(c); c.At = noon.Add(day - time.Minute) }, day, true},
		"another's, with create":   {func(c *Rotate) { c.By = Maker{Owner: "bob", MayCreate: true, ExpiresAt: noon.Add(2 * time.Hour)} }, 3 * time.Hour, false},
		"another's, of its own id": {func(c *Rotate) { c.By = Maker{Owner: "bob", TokenID: "AAAAAAAA", MayCreate: true} }, 3 * time.Hour, false},
		"an operator":              {func(c *Rotate) { c.By = Maker{Owner: Operator, Operator: true} }, 3 * time.Hour, false},
	} {
		command := rotationOf(c.rotate)
		s := given(noon, limited)
		got, err := Decide(s, command)
		f := events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(c.until)), Self: c.self, Verifier: command.Verifier}
		if err != nil || !reflect.DeepEqual(got, []events.Fact{f}) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, f)
			continue
		}
		want := s.Tokens[0]
		want.Verifier, want.Outgoing, want.OutgoingUntil, want.Rotated, want.Seq = f.Verifier, limited.Verifier, noon.Add(c.until), 2, 2
		if v := Fold(s, f, command.At).Tokens[0]; !reflect.DeepEqual(v, want) {
			t.Errorf("%s: the view is\n%+v\nwant\n%+v", name, v, want)
		}
	}
}

func TestRotateRefusals(t *testing.T) {
	live := given(noon, limited)
	recently := Fold(live, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", Self: true}, noon.Add(55*time.Minute+tick))
	longAgo := Fold(live, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", Self: true}, noon.Add(55*time.Minute))
	byOther := Fold(recently, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann"}, noon.Add(56*time.Minute))
	for name, c := range map[string]struct {
		given  State
		rotate func(*Rotate)
		code   string // empty: it succeeds
	}{
		"a missing token":            {live, func(c *Rotate) { c.ID = "XXXXXXXX" }, CodeNotFound},
		"an expired token":           {live, func(c *Rotate) { c.At = noon.Add(day) }, CodeEnded},
		"a suspended owner":          {Fold(live, events.UserSuspended{Owner: "ann"}, noon), nil, CodeUserSuspended},
		"a stale entry":              {live, func(c *Rotate) { c.IfMatch = []uint64{9} }, CodeVersionConflict},
		"a negative grace":           {live, func(c *Rotate) { c.Grace = new(-time.Second) }, CodeInvalidField},
		"the longest grace":          {live, func(c *Rotate) { c.Grace = new(MaxGrace) }, ""},
		"a longer grace":             {live, func(c *Rotate) { c.Grace = new(MaxGrace + tick) }, CodeInvalidField},
		"itself, a short grace":      {live, func(c *Rotate) { self(c); c.Grace = new(5*time.Minute - tick) }, CodeGraceTooShort},
		"another's":                  {live, func(c *Rotate) { c.By = Maker{Owner: "bob", MayEdit: true, MayDelete: true} }, CodePermissionDenied},
		"another's, more actions":    {live, func(c *Rotate) { c.By = Maker{Owner: "bob", MayCreate: true, LacksActions: true} }, CodeDeniedByOwner},
		"as long as its maker":       {live, func(c *Rotate) { c.By.ExpiresAt = noon.Add(day) }, ""},
		"outlives its maker":         {live, func(c *Rotate) { c.By.ExpiresAt = noon.Add(day - tick) }, CodeExpiryOutlives},
		"the same, with everything":  {live, func(c *Rotate) { c.By.ExpiresAt, c.By.MayCreate, c.By.MayEdit = noon.Add(day-tick), true, true }, CodeExpiryOutlives},
		"never, by one that ends":    {given(noon, owned("AAAAAAAA", time.Time{})), func(c *Rotate) { c.By.ExpiresAt = noon.Add(9 * day) }, CodeExpiryOutlives},
		"beyond its maker":           {live, func(c *Rotate) { c.By.Scopes = []string{"GET /v1/a"} }, CodeScopeExceeds},
		"from more addresses":        {live, func(c *Rotate) { c.By.SourceIPs = prefixes("192.0.2.0/25") }, CodeSourceIPsExceed},
		"itself again":               {recently, self, CodeRotatedRecently},
		"itself, 5 minutes later":    {longAgo, self, ""},
		"another token, immediately": {recently, nil, ""},
		"itself after another token": {byOther, self, CodeRotatedRecently},
		"at the rate":                {live, func(c *Rotate) { c.At, c.Policy.ChangeRate = noon, 1 }, CodeRateExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decide(c.given, rotationOf(c.rotate))
			if codeOf(err) != c.code || (err != nil) != (c.code != "") {
				t.Errorf("got %v, want %q", err, c.code)
			}
		})
	}
}

func TestASecondRotationEndsTheOlderSecret(t *testing.T) {
	s := given(noon, limited)
	for _, mac := range []string{"second", "third"} {
		s = Fold(s, events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(day)), Verifier: events.Verifier{Kid: "a", MAC: []byte(mac)}}, noon)
	}
	if v := s.Tokens[0]; string(v.Verifier.MAC) != "third" || string(v.Outgoing.MAC) != "second" || v.Rotated != 3 {
		t.Errorf("got %+v, want the third secret and the second one as outgoing", v)
	}
}
