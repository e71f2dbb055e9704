package vast

import (
	"regexp"
	"strings"

	"apitoken/events/name"
)

func userNamed(user string) *name.Identity { return &name.Identity{Name: user} }

var (
	secrets = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)
	newIDs  = regexp.MustCompile(`"id": "([0-9A-Za-z]{8})"|(?m)^(?:id +\|)?([0-9A-Za-z]{8}) +(?:\||$)`)
	times   = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z`)
	cells   = regexp.MustCompile(` *\|`)
	ends    = regexp.MustCompile(`(?m) +$`)
	lines   = regexp.MustCompile(`-+\+`)

	// The proxy of the deployed stack has a certificate that signs itself. That of serve
	// is signed by a root of its own.
	chain = strings.NewReplacer("self-signed certificate in certificate chain", "self-signed certificate")
	port  = regexp.MustCompile(`port=[0-9]+`)

	// lastUses are the times of the last use. A busy machine does not store each use.
	lastUses = regexp.MustCompile(`("last_used": |(?m)^last_used \|)[^,\n]+|[^|\n]+?( \|(?:True|False) \|)`)
)

// masked replaces tokens, ids and the times of the clock. It leaves out the spaces that
// align a table, because the width of a column depends on the last use.
func (p *place) masked(text string) string {
	text = secrets.ReplaceAllStringFunc(text, func(token string) string { return token[:8] + "." + strings.Repeat("x", 32) })
	for _, m := range newIDs.FindAllStringSubmatch(text, -1) {
		if id := m[1] + m[2]; id != "property" {
			p.ids.Note(id)
		}
	}
	text = port.ReplaceAllString(times.ReplaceAllString(p.ids.Mask(text), "2026-01-01T00:00:00.000000Z"), "port=443")
	text = chain.Replace(text)
	text = lines.ReplaceAllString(ends.ReplaceAllString(cells.ReplaceAllString(text, " |"), ""), "-+")
	return lastUses.ReplaceAllString(text, "${1}(last use)${2}")
}

var traceback = regexp.MustCompile(`(?s)Traceback \(most recent call last\):\n.*\n(\S[^\n]*\n)$`)

// withoutTrace leaves out all lines of a Python traceback but the last.
func withoutTrace(errOut string) string { return traceback.ReplaceAllString(errOut, "$1") }
