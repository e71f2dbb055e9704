// Package setting reads a setting that a person wrote with an editor or a shell:
// the content of a file, a variable, or standard input.
//
// Editors and shells add things that a person does not see. The package removes
// them: byte order marks, line ends, blanks and invisible characters at both
// ends, one kind of quotes around the value. It also decodes UTF-16 with a byte
// order mark. It refuses everything else that does not belong to a value, and the
// error names the problem. No error contains the value, because the value may be
// a secret. The meaning of a value is left to the caller.
package setting

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Value returns the value in a text. A value has no blanks: a token, peppers, an
// address. The error has the form "has ..." or "is ...", so that the caller can
// put the name of the source before it.
func Value(text string) (string, error) {
	value, err := unwrap(text, true)
	if err != nil {
		return "", err
	}
	if problem := foreignForm(value); problem != "" {
		return "", errors.New(problem)
	}
	for _, r := range value {
		if problem := foreignCharacter(r); problem != "" {
			return "", errors.New(problem)
		}
	}
	return value, nil
}

// Path is Value for the path of a file. A path may have blanks inside, and also
// inside the quotes around the path.
func Path(text string) (string, error) {
	value, err := unwrap(text, false)
	if err != nil {
		return "", err
	}
	if assignedPath.MatchString(value) {
		return "", errors.New(assignmentProblem)
	}
	return value, nil
}

// unwrap removes what is around a value. For a path inner is false: blanks inside
// quotes belong to the path.
func unwrap(text string, inner bool) (string, error) {
	text, err := Text([]byte(text))
	if err != nil {
		return "", err
	}
	value, quoted, err := unquote(text)
	for err == nil && quoted && inner {
		value, quoted, err = unquote(trim(value))
	}
	switch {
	case err != nil:
		return "", err
	case value == "":
		return "", errors.New("is empty")
	case strings.ContainsAny(value, "\n\r"):
		return "", fmt.Errorf("has %d lines; allowed: one line with the value and nothing else", strings.Count(strings.ReplaceAll(value, "\r\n", "\n"), "\n")+1)
	case strings.ContainsRune(value, 0):
		return "", errors.New("has a NUL character; allowed: text in UTF-8. If the text is UTF-16 without a byte order mark, save it as UTF-8")
	}
	return value, nil
}

// quotes are the pairs of quotes that shells and word processors put around a
// value.
var quotes = map[rune]rune{'"': '"', '\'': '\'', '`': '`', '“': '”', '‘': '’', '„': '“', '«': '»', '”': '”', '’': '’'}

// unquote removes one pair of quotes. It refuses a quote without its partner.
func unquote(text string) (value string, quoted bool, err error) {
	chars := []rune(text)
	if len(chars) == 0 {
		return text, false, nil
	}
	first, last := chars[0], chars[len(chars)-1]
	closing, opens := quotes[first]
	switch {
	case opens && len(chars) > 1 && last == closing:
		return string(chars[1 : len(chars)-1]), true, nil
	case opens:
		return "", false, fmt.Errorf("begins with the quote %c and does not end with %c", first, closing)
	case isQuote(last):
		return "", false, fmt.Errorf("ends with the quote %c and does not begin with one", last)
	}
	return text, false, nil
}

func isQuote(r rune) bool {
	if _, opens := quotes[r]; opens {
		return true
	}
	return r == '”' || r == '’' || r == '»'
}

const assignmentProblem = "has an assignment (NAME=); allowed: the value and nothing else"

var (
	// assigned matches the beginning of an assignment in sh, cmd and PowerShell.
	assigned = regexp.MustCompile(`(?i)^((export|set|setx|setenv|declare)\s|\$?\{?(env:)?[a-z_]\w*\}?\s*=)`)
	// assignedPath is assigned for a path, which may have an equals sign itself.
	assignedPath = regexp.MustCompile(`(?i)^((export|set|setx|setenv|declare)\s+[a-z_]\w*=|\$\{?(env:)?[a-z_]\w*\}?\s*=|(export\s+)?APITOKEN_\w*\s*=)`)
	scheme       = regexp.MustCompile(`(?i)^(authorization\s*:|(bearer|api-token|token|basic)\s)`)
)

// foreignForm says what a text is that is no value, "" for a possible value.
func foreignForm(text string) string {
	switch {
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "is a JSON object or list; allowed: the value and nothing else"
	case strings.HasPrefix(text, "-----BEGIN"):
		return "is a PEM block; allowed: the value and nothing else"
	case assigned.MatchString(text):
		return assignmentProblem
	case scheme.MatchString(text):
		return "begins with the name of a header or of an authorization scheme, like Bearer; allowed: the value and nothing else"
	}
	return ""
}

// foreignCharacter says why a character cannot be inside a value, "" if it can.
func foreignCharacter(r rune) string {
	switch {
	case unicode.IsSpace(r):
		return fmt.Sprintf("has a blank (%U) inside the value; allowed: the value and nothing else", r)
	case unicode.IsControl(r):
		return fmt.Sprintf("has the control character %U", r)
	case invisible(r):
		return fmt.Sprintf("has the invisible character %U inside the value", r)
	case isQuote(r):
		return fmt.Sprintf("has the quote %c inside the value", r)
	}
	return ""
}
