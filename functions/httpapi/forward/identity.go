package forward

import (
	"fmt"
	"net/http"
	"strings"

	"apitoken/events/guard"
	"apitoken/events/instant"
)

// The headers of an answer that lets a request pass. All are always sent.
const (
	Owner   = "Apitoken-Owner"    // the owner key
	TokenID = "Apitoken-Token-Id" // the id of the token
	Scopes  = "Apitoken-Scopes"   // METHOD:PATH for each scope, separated by spaces
	Expires = "Apitoken-Expires"  // of the secret that was shown, as an instant
)

// none is the value of a header that has nothing to say. A proxy that gets no header
// would pass on the client's own one.
const none = "-"

func setIdentity(h http.Header, p guard.Principal) {
	expires := none
	if !p.ExpiresAt.IsZero() {
		expires = instant.Format(p.ExpiresAt)
	}
	values := []string{encoded(p.Owner), encoded(p.TokenID), scopesOf(p), expires}
	for i, name := range [...]string{Owner, TokenID, Scopes, Expires} {
		h[name] = values[i : i+1 : i+1]
	}
}

func scopesOf(p guard.Principal) string {
	if len(p.Scopes) == 0 {
		return none
	}
	texts := make([]string, len(p.Scopes))
	for i, s := range p.Scopes {
		texts[i] = encoded(strings.Replace(s, " ", ":", 1))
	}
	return strings.Join(texts, " ")
}

// encoded writes a text in printable ASCII. Every other byte and the percent sign are
// percent-encoded. So is a text that would mean none.
func encoded(text string) string {
	if text == none {
		return "%2D"
	}
	if !strings.ContainsFunc(text, isEncoded) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isEncoded(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isEncoded(r rune) bool { return r < ' ' || r >= 0x7f || r == '%' }
