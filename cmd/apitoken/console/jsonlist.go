package console

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSONList prints the elements of a long list one by one, as PrintJSON prints the
// whole list. After an error the list has no end, so a reader of the JSON notices.
type JSONList struct {
	w     io.Writer
	begun bool
}

// NewJSONList prints a list to w. The caller calls End after the last element.
func NewJSONList(w io.Writer) *JSONList { return &JSONList{w: w} }

// Add prints the next element.
func (l *JSONList) Add(element any) error {
	var b bytes.Buffer
	b.WriteString(",\n  ")
	if !l.begun {
		b.Reset()
		b.WriteString("[\n  ")
	}
	l.begun = true
	e := json.NewEncoder(&b)
	e.SetIndent("  ", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(element); err != nil {
		return err
	}
	_, err := l.w.Write(EscapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
	return err
}

// End prints the end of the list.
func (l *JSONList) End() error {
	end := "\n]\n"
	if !l.begun {
		end = "[]\n"
	}
	_, err := io.WriteString(l.w, end)
	return err
}
