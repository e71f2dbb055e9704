package token

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// TestTheActingTokenMustStillPassAtTheTimeOfTheCommand: the guard checked it before
// the owner's stream was read. To revoke and to suspend are never refused for this.
func TestTheActingTokenMustStillPassAtTheTimeOfTheCommand(t *testing.T) {
	rotation := events.TokenRotated{TokenID: "MMMMMMMM", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(day)), Verifier: events.Verifier{Kid: "a", MAC: []byte("new")}}
	for name, c := range map[string]struct {
		since []events.Fact
		at    time.Time
		want  string
	}{
		"nothing happened":        {nil, noon, ""},
		"another token changed":   {[]events.Fact{events.TokenDisabled{TokenID: "OOOOOOOO", Owner: "ann"}}, noon, ""},
		"a microsecond is left":   {nil, noon.Add(day - tick), ""},
		"it expired":              {nil, noon.Add(day), CodeDeniedByCredential},
		"its expiry is recorded":  {[]events.Fact{events.TokenExpired{TokenID: "MMMMMMMM", Owner: "ann"}}, noon, CodeDeniedByCredential},
		"it is revoked":           {[]events.Fact{events.TokenRevoked{TokenID: "MMMMMMMM", Owner: "ann"}}, noon, CodeDeniedByCredential},
		"it is disabled":          {[]events.Fact{events.TokenDisabled{TokenID: "MMMMMMMM", Owner: "ann"}}, noon, CodeDeniedByCredential},
		"it has another secret":   {[]events.Fact{rotation}, noon, CodeDeniedByCredential},
		"it has its third secret": {[]events.Fact{rotation, rotation}, noon, CodeDeniedByCredential},
	} {
		s := given(noon, owned("MMMMMMMM", noon.Add(day)), owned("OOOOOOOO", noon.Add(day)))
		for _, f := range c.since {
			s = Fold(s, f, noon)
		}
		by := Maker{Owner: "ann", TokenID: "MMMMMMMM", Own: true}
		for verb, command := range map[string]Command{
			"create": ann(func(x *Create) { x.By, x.At = by, c.at }),
			"update": Update{By: by, At: c.at, Policy: five, ID: "OOOOOOOO", Owner: "ann", Wish: Wish{Name: "x"}, Given: Members{Name: true}},
			"rotate": Rotate{By: by, At: c.at, Policy: five, ID: "OOOOOOOO", Owner: "ann"},
		} {
			want := c.want
			if c.at.Equal(noon.Add(day)) && verb != "create" {
				want = CodeEnded // of the changed token, which expires at the same time
			}
			if _, err := Decide(s, command); codeOf(err) != want {
				t.Errorf("%s, %s: got %v, want %q", name, verb, err, want)
			}
		}
		if c.at.Equal(noon) {
			if _, err := Decide(s, Revoke{By: by, At: c.at, ID: "OOOOOOOO", Owner: "ann"}); err != nil {
				t.Errorf("%s, revoke: got %v", name, err)
			}
		}
	}
}

// TestATokenThatWasRotatedBeforeActsWithItsNewSecret: the rotation that the guard
// saw is the last one.
func TestATokenThatWasRotatedBeforeActsWithItsNewSecret(t *testing.T) {
	s := given(noon, owned("MMMMMMMM", time.Time{}), events.TokenRotated{TokenID: "MMMMMMMM", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(day))})
	for rotated, want := range map[uint64]string{2: "", 0: CodeDeniedByCredential, 1: CodeDeniedByCredential} {
		c := ann(func(c *Create) { c.By.Own, c.By.Rotated = true, rotated })
		if _, err := Decide(s, c); codeOf(err) != want {
			t.Errorf("with the secret of rotation %d: got %v, want %q", rotated, err, want)
		}
	}
}
