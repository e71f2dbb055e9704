package console

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// State is a cell with the state of a token. A terminal shows in a colour that the
// token does not pass.
type State string

// Expiry is a cell with the instant when a token expires. A terminal shows in a colour
// that it is past or soon.
type Expiry time.Time

// Revoked is a cell that says whether a token is revoked. A terminal shows a true one
// in a colour.
type Revoked bool

// soon is how long before its expiry a token gets a colour.
const soon = 7 * 24 * time.Hour

// The colours of cells, as parameters of the escape sequence.
const (
	red    = "31"
	yellow = "33"
)

// colourOf returns the colour of a cell, or "".
func colourOf(cell any, now time.Time) string {
	switch v := cell.(type) {
	case State:
		switch v {
		case "expired", "revoked":
			return red
		case "disabled":
			return yellow
		}
	case Expiry:
		switch at := time.Time(v); {
		case at.IsZero():
		case !at.After(now):
			return red
		case at.Before(now.Add(soon)):
			return yellow
		}
	case Revoked:
		if v {
			return red
		}
	}
	return ""
}

// form is how one of the formats writes values that are not texts.
type form struct {
	none, layout string
	bools        [2]string
	formulas     string                 // the first characters of texts that get an apostrophe
	relative     func(time.Time) string // written after an instant; nil: nothing
}

var (
	boxForm  = form{none: "None", layout: time.DateTime, bools: [2]string{"False", "True"}}
	textForm = form{none: "-", layout: time.RFC3339, bools: [2]string{"false", "true"}}
	csvForm  = form{none: "", layout: time.RFC3339, bools: [2]string{"false", "true"}, formulas: "=+-@＝＋－＠"}
)

func textsOf(row []any, f form) (texts []string) {
	for _, cell := range row {
		texts = append(texts, f.text(cell))
	}
	return texts
}

// text never returns unprintable characters.
func (f form) text(cell any) string {
	text := ""
	switch v := cell.(type) {
	case nil:
	case string:
		text = f.harmless(Plain(v))
	case State:
		text = Plain(string(v))
	case int:
		text = strconv.Itoa(v)
	case bool:
		text = f.bool(v)
	case Revoked:
		text = f.bool(bool(v))
	case time.Time:
		text = f.instant(v)
	case Expiry:
		text = f.instant(time.Time(v))
	default:
		panic("a cell has a type that no format knows")
	}
	if text == "" {
		return f.none
	}
	return text
}

// harmless writes an apostrophe before a text that a spreadsheet would run as a
// formula (OWASP, "CSV Injection"): another user may have chosen the text. Some
// spreadsheets read the full-width signs too.
func (f form) harmless(text string) string {
	if first, _ := utf8.DecodeRuneInString(text); text != "" && strings.ContainsRune(f.formulas, first) {
		return "'" + text
	}
	return text
}

func (f form) bool(b bool) string {
	if b {
		return f.bools[1]
	}
	return f.bools[0]
}

func (f form) instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	text := t.UTC().Format(f.layout)
	if f.relative != nil {
		text += " (" + f.relative(t) + ")"
	}
	return text
}

// FormatTime is an instant in whole seconds, or "-" for no instant, for messages.
func FormatTime(t time.Time) string { return textForm.text(t) }
