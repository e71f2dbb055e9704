package oidc

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// claims are the members of a JWT. Their names are compared exactly: encoding/json
// would read a member "Sub" into the field of sub, and a person may have chosen it.
type claims map[string]json.RawMessage

func parseClaims(payload []byte) (c claims, ok bool) {
	return c, json.Unmarshal(payload, &c) == nil && c != nil
}

var errClaim = errors.New("has the wrong type")

// text returns a claim that is a string, "" if it is absent or null.
func (c claims) text(name string) (value string, err error) {
	if raw, ok := c[name]; ok && json.Unmarshal(raw, &value) != nil {
		return "", errClaim
	}
	return value, nil
}

// texts returns a claim that is a string or an array of strings: aud is either (RFC 7519
// section 4.1.3), and so are the groups of some providers.
func (c claims) texts(name string) (values []string, err error) {
	raw, ok := c[name]
	if !ok {
		return nil, nil
	}
	if one, err := c.text(name); err == nil {
		if one == "" {
			return nil, nil
		}
		return []string{one}, nil
	}
	if json.Unmarshal(raw, &values) != nil {
		return nil, errClaim
	}
	return values, nil
}

// instant returns a claim that is a NumericDate (RFC 7519 section 2), the zero Time if it
// is absent.
func (c claims) instant(name string) (time.Time, error) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return time.Time{}, nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > maxSeconds {
		return time.Time{}, errClaim
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
}

// maxSeconds is the last second of the year 9999: RFC 3339 writes no later time.
const maxSeconds = 253402300799

// isElsewhere reports whether a claim is somewhere else, as section 5.6.2 of OpenID Connect
// Core 1.0 says. Providers do so with groups if there are too many, and Entra ID has
// only "hasgroups" in some tokens. Nothing here fetches the other place: it may be any
// address.
func (c claims) isElsewhere(name string) bool {
	var elsewhere map[string]json.RawMessage
	if raw, ok := c["_claim_names"]; ok && json.Unmarshal(raw, &elsewhere) != nil {
		return true
	}
	if _, ok := elsewhere[name]; ok {
		return true
	}
	_, given := c[name]
	return !given && string(c["hasgroups"]) == "true"
}

// maxName is the longest name for people, in bytes.
const maxName = 128

// displayed returns the first claim that is a name for people. It is one line without
// control characters and without marks that turn the direction of a text.
func (c claims) displayed(names ...string) string {
	for _, name := range names {
		value, err := c.text(name)
		if err != nil {
			continue
		}
		if visible := strings.TrimSpace(cut(strings.Map(graphic, value), maxName)); visible != "" {
			return visible
		}
	}
	return ""
}

// cut returns the beginning of a text, in whole characters.
func cut(text string, most int) string {
	text = strings.TrimSpace(text)
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

func graphic(r rune) rune {
	if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
		return -1
	}
	return r
}

// isForAny reports whether two lists share a value that is not empty.
func isForAny(audience, allowed []string) bool {
	return slices.ContainsFunc(audience, func(a string) bool { return a != "" && slices.Contains(allowed, a) })
}
