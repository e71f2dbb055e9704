package qumulo

import (
	"regexp"
	"strings"
)

var (
	tokens   = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)
	newIDs   = regexp.MustCompile(`"id": "([0-9A-Za-z]{8})"|(?m)^([0-9A-Za-z]{8})  `)
	times    = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z`)
	given    = regexp.MustCompile(`^20(30|31|21)-`) // a time of the session, not of the clock
	versions = regexp.MustCompile(`"version": "[^"]+"`)
)

// masked replaces tokens, ids and the times of the clock by texts of the same length,
// and the version of the program.
func (p *place) masked(text string) string {
	text = tokens.ReplaceAllStringFunc(text, func(token string) string { return token[:8] + "." + strings.Repeat("x", 32) })
	for _, m := range newIDs.FindAllStringSubmatch(text, -1) {
		if id := m[1] + m[2]; strings.Trim(id, "=") != "" {
			p.ids.Note(id)
		}
	}
	text = versions.ReplaceAllString(p.ids.Mask(text), `"version": "(devel)"`)
	return times.ReplaceAllStringFunc(text, func(at string) string {
		if given.MatchString(at) {
			return at
		}
		return "2026-01-01T00:00:00.000000Z"
	})
}
