// Package jsontext writes small JSON by hand, as encoding/json writes it, for code that
// runs with each request. It writes only texts that need no escapes: its callers leave
// everything else to encoding/json.
package jsontext

import "strconv"

// AppendPlain appends a text as a JSON string. It returns false for a text that
// encoding/json may write with an escape, or that is not ASCII.
func AppendPlain(b []byte, text string) (_ []byte, ok bool) {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return b, false
		}
	}
	return append(append(append(b, '"'), text...), '"'), true
}

// Plain is JSON that is being written.
type Plain struct {
	JSON   []byte
	Failed bool // a text is not plain, so JSON must not be used
}

// Raw appends a part of the JSON itself, such as the name of a member.
func (p *Plain) Raw(json string) { p.JSON = append(p.JSON, json...) }

// Text appends a text as a JSON string.
func (p *Plain) Text(text string) {
	var ok bool
	if p.JSON, ok = AppendPlain(p.JSON, text); !ok {
		p.Failed = true
	}
}

// TextOrNull appends a text as a JSON string, or null for the empty text.
func (p *Plain) TextOrNull(text string) {
	if text == "" {
		p.Raw("null")
		return
	}
	p.Text(text)
}

// NumberOrNull appends a number, or null.
func (p *Plain) NumberOrNull(n *uint64) {
	if n == nil {
		p.Raw("null")
		return
	}
	p.JSON = strconv.AppendUint(p.JSON, *n, 10)
}

// Texts appends an array of texts.
func (p *Plain) Texts(texts []string) {
	if texts == nil {
		p.Raw("null")
		return
	}
	p.Raw("[")
	for i, text := range texts {
		if i > 0 {
			p.Raw(",")
		}
		p.Text(text)
	}
	p.Raw("]")
}
