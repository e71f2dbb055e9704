package token

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"apitoken/events"
)

// refusal checks that err is a refusal with this code.
func refusal(t testing.TB, err error, code string) *events.Refusal {
	t.Helper()
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok || r.Code != code {
		t.Fatalf("got error %v, want the refusal %s", err, code)
	}
	return r
}

func TestLifetimesOfEachUnit(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1Y": 365 * 24 * time.Hour, "2Y": 730 * 24 * time.Hour,
		"1M": 30 * 24 * time.Hour, "1m": time.Minute,
		"1w": 7 * 24 * time.Hour, "1W": 7 * 24 * time.Hour,
		"1d": 24 * time.Hour, "1D": 24 * time.Hour, "180D": 180 * 24 * time.Hour,
		"1h": time.Hour, "1H": time.Hour,
		"1s": time.Second, "1S": time.Second, "90s": 90 * time.Second,
		"007D":        7 * 24 * time.Hour,
		"292Y":        292 * 365 * 24 * time.Hour,
		"9223372036s": 9223372036 * time.Second,
	} {
		if got, err := ParseLifetime(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestRefusalsShowTheWrongLifetime(t *testing.T) {
	for text, shown := range map[string]string{
		"0D": `"0D"`, "00s": `"00s"`, "-1D": `"-1D"`, "+1D": `"+1D"`, "1.5D": `"1.5D"`, "1,5D": `"1,5D"`, "1y": `"1y"`, "1D2h": `"1D2h"`,
		"": `""`, "D": `"D"`, "1": `"1"`, "1DD": `"1DD"`, "1 D": `"1 D"`, " 1D": `" 1D"`, "1D\n": `"1D\n"`, "1e3D": `"1e3D"`, "0x1D": `"0x1D"`, "1_0D": `"1_0D"`,
		"99999999999Y": `"99999999999Y"`, "293Y": `"293Y"`, "9223372037s": `"9223372037s"`, "99999999999999999999s": `"99999999999999999999"...`,
		"1Ｄ": `"1\uff24"`, "１D": `"\uff11D"`, "١D": `"\u0661D"`, "\xff1D": `"\xff1D"`,
		strings.Repeat("a", 1000): `"aaaa"...`,
	} {
		d, err := ParseLifetime(text)
		r := refusal(t, err, CodeInvalidField)
		if d != 0 || r.Field != "expires_in" || !strings.Contains(r.Detail, "the lifetime "+shown+" is") || len(r.Detail) > 300 {
			t.Errorf("%.30q: got %v and %s: %s, want it to show %s", text, d, r.Field, r.Detail, shown)
		}
	}
}

func TestRefusedLifetimesSayWhatIsAllowed(t *testing.T) {
	_, err := ParseLifetime("1y")
	for _, unit := range []string{"Y (365 days)", "M (30 days)", "m (minutes)"} {
		if r := refusal(t, err, CodeInvalidField); !strings.Contains(r.Detail, unit) {
			t.Errorf("the refusal does not name %s: %s", unit, r.Detail)
		}
	}
}

// TestGraces: a grace is a lifetime of at most a year, or zero in any form.
func TestGraces(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "00D": 0, "1s": time.Second, "5m": 5 * time.Minute, "24H": 24 * time.Hour, "7D": 7 * 24 * time.Hour, "1Y": MaxGrace, "365d": MaxGrace,
	} {
		if got, err := ParseGrace(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "00", "1", "-1s", "+1s", "1.5H", "s", "366D", "2Y", "8761H", "99999999999Y", "99999999999999999999s", "1D2h", "1D "} {
		d, err := ParseGrace(text)
		if r := refusal(t, err, CodeInvalidField); d != 0 || r.Field != "grace" || !strings.Contains(r.Detail, "at most 365D") {
			t.Errorf("%q: got %v and %s: %s", text, d, r.Field, r.Detail)
		}
	}
}

func FuzzParseLifetime(f *testing.F) {
	for _, seed := range []string{"180D", "1M", "1m", "0D", "-1D", "99999999999Y", "1Ｄ", "", "1D2h", "9223372036s", "+5w", "007H"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseLifetime(text)
		if err != nil {
			refusal(t, err, CodeInvalidField)
			return
		}
		unit := unitOf(text[len(text)-1:])
		if d <= 0 || d%unit != 0 || d%time.Second != 0 {
			t.Errorf("%q is %v, which is no positive number of its unit", text, d)
		}
		if again, err := ParseLifetime(FormatLifetime(d)); again != d || err != nil {
			t.Errorf("%q is %v, written %s, which is %v, %v", text, d, FormatLifetime(d), again, err)
		}
		if longest := time.Duration(math.MaxInt64); d > longest-unit {
			return
		}
		if more, err := ParseLifetime(FormatLifetime(d + unit)); more <= d || err != nil {
			t.Errorf("one unit more than %q is %v, %v", text, more, err)
		}
	})
}
