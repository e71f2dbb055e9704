package instant

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads an instant: RFC 3339 section 5.6, "date-time". The letters T and Z
// may be lower case, and the fraction of the second may have any number of digits.
// The result is in UTC and cut to microseconds.
//
// The error says what is wrong with the text; it quotes at most one character of
// the text, and names no field. Parse refuses a leap second (second 60), because
// Go's time package has no place for it, and an instant after the year 9999 in UTC,
// because no text of RFC 3339 can write it.
//
// time.Parse does not read this grammar. It accepts an hour of one digit, a comma
// before the fraction and an offset of 25 hours, and refuses a lower-case t or z
// (github.com/golang/go issues 20869, 54580).
func Parse(text string) (time.Time, error) {
	if err := checkWhole(text); err != nil {
		return time.Time{}, err
	}
	p := parser{rest: text}
	t := p.dateTime()
	if p.err == nil && t.Year() > lastYear {
		p.fail("the instant is after the year %d (UTC), the last year that is allowed", lastYear)
	}
	if p.err != nil {
		return time.Time{}, p.err
	}
	return t, nil
}

var (
	errEmpty  = errors.New("the text is empty; an instant must be like 2030-01-20T00:00:00Z")
	errSpace  = errors.New("the text begins or ends with white space")
	errNumber = errors.New("the text is only a number; an instant must be like 2030-01-20T00:00:00Z, not a count of seconds")
	errLeap   = errors.New("the second is 60: leap seconds are not supported; use second 59 or the next minute")
	errComma  = errors.New(`the fraction of the second begins with ","; it must begin with "."`)
	errNoFrac = errors.New(`no digit follows the "." after the second`)
	errNoZone = errors.New("the offset from UTC is missing; an instant must end with Z or with an offset like +01:00")
)

// checkWhole returns an error for a text that is no date-time at all.
func checkWhole(text string) error {
	switch {
	case text == "":
		return errEmpty
	case strings.TrimSpace(text) != text:
		return errSpace
	case isNumber(text):
		return errNumber
	}
	return nil
}

// isNumber reports whether the text is digits, with or without a sign and a point.
func isNumber(text string) bool {
	whole, fraction, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	return whole != "" && countDigits(whole) == len(whole) && countDigits(fraction) == len(fraction)
}

// parser reads a text from left to right. err is its first error; later steps then
// read nothing.
type parser struct {
	rest string
	err  error
}

func (p *parser) dateTime() time.Time {
	year, month, day := p.date()
	p.letter('T', "day")
	hour := p.number("hour", 2, 0, 23)
	p.literal(':', "hour")
	minute := p.number("minute", 2, 0, 59)
	p.literal(':', "minute")
	second := p.second()
	nanoseconds := p.fraction()
	offset := p.offset()
	if p.err == nil && p.rest != "" {
		p.fail("after the offset from UTC comes %s; the text must end there", p.next())
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanoseconds, time.UTC).Add(-offset)
}

func (p *parser) date() (year, month, day int) {
	year = p.number("year", 4, 0, lastYear)
	p.literal('-', "year")
	month = p.number("month", 2, 1, 12)
	p.literal('-', "month")
	day = p.number("day", 2, 1, 31)
	if last := daysIn(year, month); p.err == nil && day > last {
		p.fail("the day is %02d, but month %02d of the year %04d has %d days", day, month, year, last)
	}
	return year, month, day
}

// daysIn is the number of days of a month: day 0 of the next month is its last day.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (p *parser) second() int {
	if p.err == nil && strings.HasPrefix(p.rest, "60") && countDigits(p.rest) == 2 {
		p.err = errLeap
	}
	return p.number("second", 2, 0, 59)
}

// fraction reads the digits after the second, if there are any. It returns whole
// microseconds, as a number of nanoseconds.
func (p *parser) fraction() (nanoseconds int) {
	switch {
	case p.err != nil || p.rest == "":
		return 0
	case p.rest[0] == ',':
		p.err = errComma
		return 0
	case p.rest[0] != '.':
		return 0
	}
	digits := p.rest[1 : 1+countDigits(p.rest[1:])]
	if digits == "" {
		p.err = errNoFrac
		return 0
	}
	p.rest = p.rest[1+len(digits):]
	for i, unit := 0, 100_000_000; i < min(6, len(digits)); i, unit = i+1, unit/10 {
		nanoseconds += int(digits[i]-'0') * unit
	}
	return nanoseconds
}

func (p *parser) offset() time.Duration {
	if p.err != nil {
		return 0
	}
	if p.rest == "" {
		p.err = errNoZone
		return 0
	}
	sign := time.Duration(1)
	switch p.rest[0] {
	case 'Z', 'z':
		p.rest = p.rest[1:]
		return 0
	case '+':
	case '-':
		sign = -1
	default:
		p.fail("after the second comes %s; an offset from UTC must follow: Z, or an offset like +01:00", p.next())
		return 0
	}
	p.rest = p.rest[1:]
	hours := p.number("hour of the offset from UTC", 2, 0, 23)
	p.literal(':', "hour of the offset from UTC")
	minutes := p.number("minute of the offset from UTC", 2, 0, 59)
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
}

// number reads a number of exactly this many ASCII digits.
func (p *parser) number(name string, digits, low, high int) (n int) {
	if p.err != nil {
		return low
	}
	switch found := countDigits(p.rest); {
	case p.rest == "":
		p.fail("the text ends before the %s", name)
		return low
	case found == 0:
		p.fail("the %s begins with %s; it must have %d digits", name, p.next(), digits)
		return low
	case found != digits:
		p.fail("the %s must have %d digits; it has %d", name, digits, found)
		return low
	}
	for _, c := range []byte(p.rest[:digits]) {
		n = 10*n + int(c-'0')
	}
	p.rest = p.rest[digits:]
	if n < low || n > high {
		p.fail("the %s is %02d; allowed: %02d to %02d", name, n, low, high)
	}
	return n
}

// literal reads one character that follows the part called name.
func (p *parser) literal(want byte, name string) {
	switch {
	case p.err != nil:
	case p.rest == "":
		p.fail("the text ends after the %s; %q must follow", name, string(want))
	case p.rest[0] != want:
		p.fail("after the %s comes %s; it must be %q", name, p.next(), string(want))
	default:
		p.rest = p.rest[1:]
	}
}

// letter is literal for a letter that may be lower case.
func (p *parser) letter(want byte, name string) {
	if p.err == nil && p.rest != "" && p.rest[0] == want|0x20 {
		p.rest = p.rest[1:]
		return
	}
	p.literal(want, name)
}

// next is the next character, quoted in ASCII.
func (p *parser) next() string {
	_, size := utf8.DecodeRuneInString(p.rest)
	return fmt.Sprintf("%+q", p.rest[:size])
}

func (p *parser) fail(format string, args ...any) { p.err = fmt.Errorf(format, args...) }

func countDigits(text string) (n int) {
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}
