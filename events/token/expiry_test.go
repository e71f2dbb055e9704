package token

import (
	"strings"
	"testing"
	"time"
)

func TestExpirationTimesAreInstants(t *testing.T) {
	got, err := ParseExpirationTime("2027-01-31t13:00:00.1234567+01:00")
	if want := time.Date(2027, 1, 31, 12, 0, 0, 123456000, time.UTC); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// TestTheZeroTimeIsAPastTime: the zero time would mean "never", and the token would
// live for ever.
func TestTheZeroTimeIsAPastTime(t *testing.T) {
	for _, text := range []string{
		"0001-01-01T00:00:00Z", "0001-01-01t00:00:00z", "0001-01-01T00:00:00-00:00", "0001-01-01T05:00:00+05:00", "0000-12-31T19:00:00-05:00",
		"0001-01-01T00:00:00.0000004Z", "0000-12-31T23:59:59.999999Z", "0000-01-01T00:00:00+23:59",
	} {
		got, err := ParseExpirationTime(text)
		if refusal(t, err, CodeExpiryInPast); !got.IsZero() {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if _, err := ParseExpirationTime("0001-01-01T00:00:00.000001Z"); err != nil {
		t.Errorf("the first instant that a Wish can hold: %v; the rules refuse it", err)
	}
}

func TestWrongExpirationTimesAreRefusedWithTheirReason(t *testing.T) {
	for text, reason := range map[string]string{
		"2016-12-31T23:59:60Z": "leap seconds", "2027-13-01T00:00:00Z": "the month is 13", "2027-01-31": `"T" must follow`,
		"1801396800": "only a number", "": "empty", "never": "the year begins with",
	} {
		_, err := ParseExpirationTime(text)
		if r := refusal(t, err, CodeInvalidField); r.Field != "expiration_time" || !strings.Contains(r.Detail, reason) {
			t.Errorf("%q: got %+v, want the reason %q", text, r, reason)
		}
	}
}
