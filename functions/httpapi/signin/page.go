package signin

import (
	"html"
	"net/http"
	"strings"

	"apitoken/functions/httpapi/machine"
)

const pageType = "text/html; charset=utf-8"

// Page writes a problem as a page for people. It needs no script and no style, so the
// strictest policy for its content fits.
func Page(p *machine.Problem) machine.Form {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n")
	for _, part := range [...]struct{ before, text, after string }{
		{"<title>", p.Title, " - apitoken</title>\n"},
		{"<h1>", p.Title, "</h1>\n"},
		{"<p>", p.Detail, "</p>\n"},
		{"<p>Code ", p.Code, ""},
		{", request ", p.RequestID, "</p>\n"},
	} {
		b.WriteString(part.before + html.EscapeString(part.text) + part.after)
	}
	b.WriteString("<p><a href=\"./\">Sign in again</a></p>\n</html>\n")
	return machine.Form{Status: p.Status, Type: pageType, Document: []byte(b.String())}
}

// redirect sends a browser to another address. The page is for a client that does not
// follow the header (RFC 9110 section 15.4.4).
func redirect(to string) machine.Answer {
	return machine.Answer{
		Status: http.StatusSeeOther, Location: to, DocumentType: pageType,
		Document: []byte("<!doctype html>\n<html lang=\"en\">\n<title>apitoken</title>\n<p><a href=\"" + html.EscapeString(to) + "\">Go on</a></p>\n</html>\n"),
	}
}
