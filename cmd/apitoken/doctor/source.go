package doctor

import (
	"fmt"
	"strings"

	"apitoken/cmd/apitoken/access"
	"apitoken/events/secret"
)

// source says where the address, the token and the certificates come from.
func (r *report) source(s access.Source) {
	if s.Context == "" {
		r.ok("context", "none is used: %s", given(s))
		return
	}
	text := "the current context " + s.Context + " is used"
	if s.ChosenBy != "" {
		text = fmt.Sprintf("%s is used, chosen by %s", s.Context, s.ChosenBy)
	}
	if s.CA.Value != "" {
		text += "; it also trusts " + s.CA.Value
	}
	if len(s.Ignored) > 0 {
		text += "; --context outweighs " + strings.Join(s.Ignored, ", ")
	}
	r.ok("context", "%s", text)
}

// given says which flags and variables give the source.
func given(s access.Source) string {
	text := "the address is the default"
	if s.URL.From != "" {
		text = "the address is from " + s.URL.From
	}
	if s.Token.From != "" {
		text += ", the token from " + s.Token.From
	}
	if s.CA.From != "" {
		text += ", the certificates from " + s.CA.From + " (" + s.CA.Value + ")"
	}
	return text
}

// tokenRead says whether the token could be read, and from where.
func (r *report) tokenRead(s access.Source, token secret.Secret, err error) {
	if err != nil {
		r.problem("token", err.Error(), "")
		return
	}
	parsed, err := secret.Parse(token.Reveal())
	if err != nil {
		r.problem("token", "the text does not have the form of a token", "copy the token again")
		return
	}
	r.ok("token", "%s, %s", parsed.ID, place(s))
}

func place(s access.Source) string {
	switch s.Token.Value {
	case "":
		return "from the variable " + s.Token.From
	case "-":
		return "from standard input"
	}
	return "from the file " + s.Token.Value
}
