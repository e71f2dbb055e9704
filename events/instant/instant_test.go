package instant_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"apitoken/events/instant"
)

// TestEveryFormOfTheGrammarIsRead has a text for each choice in the grammar of
// RFC 3339 section 5.6, with the instant that it means, cut to microseconds.
func TestEveryFormOfTheGrammarIsRead(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-31T12:00:00Z":                   "2027-01-31T12:00:00.000000Z",
		"2027-01-31t12:00:00z":                   "2027-01-31T12:00:00.000000Z",
		"2027-01-31T12:00:00z":                   "2027-01-31T12:00:00.000000Z",
		"2027-01-31t12:00:00+01:00":              "2027-01-31T11:00:00.000000Z",
		"2027-01-31T00:30:00+01:00":              "2027-01-30T23:30:00.000000Z",
		"2027-12-31T23:59:59-23:59":              "2028-01-01T23:58:59.000000Z",
		"2027-01-31T12:00:00+00:00":              "2027-01-31T12:00:00.000000Z",
		"2027-01-31T12:00:00-00:00":              "2027-01-31T12:00:00.000000Z", // section 4.3: the local offset is unknown
		"2027-01-31T12:00:00.5Z":                 "2027-01-31T12:00:00.500000Z",
		"2027-01-31T12:00:00.000001Z":            "2027-01-31T12:00:00.000001Z",
		"2027-01-31T12:00:00.123456789Z":         "2027-01-31T12:00:00.123456Z",
		"2027-01-31T12:00:00.9999999999999z":     "2027-01-31T12:00:00.999999Z",
		"2027-01-31T12:00:00.0000009+05:45":      "2027-01-31T06:15:00.000000Z",
		"2028-02-29T00:00:00Z":                   "2028-02-29T00:00:00.000000Z",
		"2000-02-29T00:00:00Z":                   "2000-02-29T00:00:00.000000Z",
		"1969-12-31T23:59:59.999999Z":            "1969-12-31T23:59:59.999999Z",
		"0001-01-01T00:00:00Z":                   "0001-01-01T00:00:00.000000Z",
		"0000-01-01T00:00:00Z":                   "0000-01-01T00:00:00.000000Z",
		"0000-02-29T23:59:59.999999999Z":         "0000-02-29T23:59:59.999999Z",
		"9999-12-31T23:59:59.999999Z":            "9999-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59+00:01":              "9999-12-31T23:58:59.000000Z",
		"2027-01-31T12:00:00." + nines(5000):     "2027-01-31T12:00:00.999999Z",
		"1985-04-12T23:20:50.52Z":                "1985-04-12T23:20:50.520000Z", // the examples of section 5.8
		"1996-12-19T16:39:57-08:00":              "1996-12-20T00:39:57.000000Z",
		"1937-01-01T12:00:27.87+00:20":           "1937-01-01T11:40:27.870000Z",
		"2027-01-31T23:59:59.999999999999-12:34": "2027-02-01T12:33:59.999999Z",
	} {
		got, err := instant.Parse(text)
		if err != nil || instant.Format(got) != want || got.Location() != time.UTC {
			t.Errorf("%.60s: got %s, %v; want %s", text, instant.Format(got), err, want)
		}
	}
}

func nines(n int) string { return strings.Repeat("9", n) + "Z" }

// TestEachRefusalNamesItsReason: a person must see what to change in the text.
func TestEachRefusalNamesItsReason(t *testing.T) {
	for text, reason := range map[string]string{
		"":                               "empty",
		" 2027-01-31T12:00:00Z":          "begins or ends with white space",
		"2027-01-31T12:00:00Z\n":         "begins or ends with white space",
		"2027-01-31T12:00:00Z\u00a0":     "begins or ends with white space",
		"1801396800":                     "only a number",
		"-1":                             "only a number",
		"1801396800.5":                   "only a number",
		"20270131":                       "only a number",
		"@1801396800":                    `the year begins with "@"`,
		"tomorrow":                       `the year begins with "t"`,
		"Sun, 31 Jan 2027 12:00:00 GMT":  `the year begins with "S"`,
		"+12027-01-31T12:00:00Z":         `the year begins with "+"`,
		"-0001-01-31T12:00:00Z":          `the year begins with "-"`,
		"12027-01-31T12:00:00Z":          "the year must have 4 digits; it has 5",
		"27-01-31T12:00:00Z":             "the year must have 4 digits; it has 2",
		"20270131T120000Z":               "the year must have 4 digits; it has 8",
		"2027":                           "only a number",
		"2027/01/31T12:00:00Z":           `after the year comes "/"`,
		"2027-":                          "the text ends before the month",
		"2027-1-31T12:00:00Z":            "the month must have 2 digits; it has 1",
		"2027-13-01T00:00:00Z":           "the month is 13; allowed: 01 to 12",
		"2027-00-01T00:00:00Z":           "the month is 00; allowed: 01 to 12",
		"2027-jan-31T12:00:00Z":          `the month begins with "j"`,
		"2027-W04-7T12:00:00Z":           `the month begins with "W"`,
		"2027-031T12:00:00Z":             "the month must have 2 digits; it has 3",
		"2027-\u0660\u0661-31T12:00:00":  `the month begins with "\u0660"`,
		"2027-01-32T00:00:00Z":           "the day is 32; allowed: 01 to 31",
		"2027-01-00T00:00:00Z":           "the day is 00; allowed: 01 to 31",
		"2027-02-30T00:00:00Z":           "the day is 30, but month 02 of the year 2027 has 28 days",
		"2027-02-29T00:00:00Z":           "the day is 29, but month 02 of the year 2027 has 28 days",
		"2100-02-29T00:00:00Z":           "the day is 29, but month 02 of the year 2100 has 28 days",
		"2027-04-31T00:00:00Z":           "the day is 31, but month 04 of the year 2027 has 30 days",
		"2027-01-31":                     `the text ends after the day; "T" must follow`,
		"2027-01-31 12:00:00Z":           `after the day comes " "; it must be "T"`,
		"2027-01-31_12:00:00Z":           `after the day comes "_"; it must be "T"`,
		"2027-01-3112:00:00Z":            "the day must have 2 digits; it has 4",
		"2027-01-31TZ":                   `the hour begins with "Z"`,
		"2027-01-31T1:00:00Z":            "the hour must have 2 digits; it has 1",
		"2027-01-31T24:00:00Z":           "the hour is 24; allowed: 00 to 23",
		"2027-01-31T12Z":                 `after the hour comes "Z"`,
		"2027-01-31T12:60:00Z":           "the minute is 60; allowed: 00 to 59",
		"2027-01-31T12:00Z":              `after the minute comes "Z"`,
		"2027-01-31T12:00":               "the text ends after the minute",
		"2027-01-31T12:00:.5Z":           `the second begins with "."`,
		"2027-01-31T12:00:61Z":           "the second is 61; allowed: 00 to 59",
		"2016-12-31T23:59:60Z":           "leap seconds are not supported",
		"2016-12-31t23:59:60.5z":         "leap seconds are not supported",
		"2017-01-01T00:59:60+01:00":      "leap seconds are not supported",
		"2027-01-31T12:00:00,5Z":         `the fraction of the second begins with ","`,
		"2027-01-31T12:00:00.Z":          `no digit follows the "."`,
		"2027-01-31T12:00:00.":           `no digit follows the "."`,
		"2027-01-31T12:00:00":            "the offset from UTC is missing",
		"2027-01-31T12:00:00.5":          "the offset from UTC is missing",
		"2027-01-31T12:00:00 Z":          `after the second comes " "`,
		"2027-01-31T12:00:00 UTC":        `after the second comes " "`,
		"2027-01-31T12:00:00GMT":         `after the second comes "G"`,
		"2027-01-31T12:00:00\u221201:00": `after the second comes "\u2212"`,
		"2027-01-31T12:00:00+0100":       "the hour of the offset from UTC must have 2 digits; it has 4",
		"2027-01-31T12:00:00+1:00":       "the hour of the offset from UTC must have 2 digits; it has 1",
		"2027-01-31T12:00:00+01":         "the text ends after the hour of the offset",
		"2027-01-31T12:00:00+24:00":      "the hour of the offset from UTC is 24",
		"2027-01-31T12:00:00+01:60":      "the minute of the offset from UTC is 60",
		"2027-01-31T12:00:00+-1:00":      `the hour of the offset from UTC begins with "-"`,
		"2027-01-31T12:00:00Z[UTC]":      `after the offset from UTC comes "["`,
		"2027-01-31T12:00:00Z\x00":       `after the offset from UTC comes "\x00"`,
		"2027-01-31T12:00:00ZZ":          `after the offset from UTC comes "Z"`,
		"9999-12-31T23:59:59-00:01":      "after the year 9999 (UTC)",
		"2027-01-31T12:00:0\u0660Z":      "the second must have 2 digits; it has 1",
		"\xff027-01-31T12:00:00Z":        `the year begins with "\xff"`,
	} {
		got, err := instant.Parse(text)
		if err == nil || !strings.Contains(err.Error(), reason) || !got.IsZero() {
			t.Errorf("%q: got %s, %v; want the reason %q", text, got, err, reason)
		}
	}
}

func TestCutDropsWhatFormatCannotWrite(t *testing.T) {
	at := time.Date(2027, 1, 31, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	got := instant.Cut(at)
	if want := time.Date(2027, 1, 31, 11, 0, 0, 123456000, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %s, want %s", got, want)
	}
	if again, err := instant.Parse(instant.Format(at)); err != nil || again != got {
		t.Errorf("read again: got %s, %v; want %s", again, err, got)
	}
	if now := instant.Cut(time.Now()); strings.Contains(now.String(), "m=") {
		t.Errorf("%s has a reading of the monotonic clock", now)
	}
}

func TestParseFormattedReadsNoOtherForm(t *testing.T) {
	if got, err := instant.ParseFormatted("2027-01-31T12:00:00.123456Z"); err != nil || instant.Format(got) != "2027-01-31T12:00:00.123456Z" {
		t.Errorf("got %s, %v", got, err)
	}
	for _, text := range []string{
		"2027-01-31T12:00:00Z", "2027-01-31T12:00:00.12345Z", "2027-01-31T12:00:00.1234560Z", "2027-01-31t12:00:00.123456Z",
		"2027-01-31T12:00:00.123456z", "2027-01-31T12:00:00.123456+00:00", "2027-01-31T13:00:00.123456+01:00", "",
	} {
		if got, err := instant.ParseFormatted(text); err == nil {
			t.Errorf("%q: got %s and no error", text, got)
		}
	}
}

func TestTimeIsATextInJSON(t *testing.T) {
	at := instant.Time{Time: time.Date(2027, 1, 31, 12, 0, 0, 500_000_999, time.FixedZone("", -3600))}
	b, err := json.Marshal(at)
	if err != nil || string(b) != `"2027-01-31T13:00:00.500000Z"` {
		t.Errorf("got %s, %v", b, err)
	}
	var got instant.Time
	if err := json.Unmarshal(b, &got); err != nil || !got.Equal(instant.Cut(at.Time)) {
		t.Errorf("read again: got %s, %v", got, err)
	}
	for _, year := range []int{-1, 10000} {
		if b, err := json.Marshal(instant.Time{Time: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
			t.Errorf("year %d: got %s and no error", year, b)
		}
	}
	for _, bad := range []string{"1", `""`, `"2027-01-31"`, "{}"} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is read as %s", bad, got)
		}
	}
}

// grammar is "date-time" of RFC 3339 section 5.6, without the ranges of the numbers.
var grammar = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`)

// FuzzParse compares Parse with the grammar and the ranges that Go's time package
// checks. Go accepts an offset of 24 hours.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"2027-01-31T12:00:00Z", "2027-01-31t12:00:00.123456789+01:00", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00-23:59",
		"2027-01-31T12:00:00+24:00", "2027-01-31T12:00:00,5Z", "2027-02-29T2:00:00Z",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		valid := err == nil && grammar.MatchString(text) && !strings.Contains(text, "+24:") && !strings.Contains(text, "-24:") && want.UTC().Year() <= 9999
		got, err := instant.Parse(text)
		switch {
		case valid != (err == nil):
			t.Errorf("%q: got %s, %v; valid is %t", text, got, err, valid)
		case valid && (!got.Equal(instant.Cut(want)) || got.Location() != time.UTC):
			t.Errorf("%q: got %s, want %s", text, got, want)
		case valid && got.Year() >= 0:
			if again, err := instant.ParseFormatted(instant.Format(got)); err != nil || again != got {
				t.Errorf("%q: written and read again: got %s, %v; want %s", text, again, err, got)
			}
		}
	})
}
