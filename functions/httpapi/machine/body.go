package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"apitoken/events/secret"
)

// MaxBody is the maximum size of a request body in bytes. The largest create
// that the rules allow has about a tenth of MaxBody.
const MaxBody = 64 << 10

// Member is one member that a JSON object may have. The functions below make it.
type Member struct {
	name string
	want string // the allowed values, for people: "a string"
	into any    // a pointer, as for json.Unmarshal, or a nested, given or givenOrNull
}

// Value is a member that is decoded into a pointer, as by json.Unmarshal. want has
// the allowed values for people, like "a string".
func Value(name, want string, into any) Member { return Member{name, want, into} }

// Object is a member that is itself an object. If the body has the member, present
// is set to true.
func Object(name, want string, present *bool, members ...Member) Member {
	return Member{name, want, nested{present, members}}
}

// Given is a Value for which absent is not the same as empty. If the body has the
// member, present is set to true.
func Given(name, want string, present *bool, into any) Member {
	return Member{name, want, given{present, into}}
}

// GivenOrNull is a Given for which null is a value: the zero value of into.
func GivenOrNull(name, want string, present *bool, into any) Member {
	return Member{name, want, givenOrNull{present, into}}
}

type nested struct {
	present *bool
	members []Member
}

type given struct {
	present *bool
	into    any
}

type givenOrNull given

// Decode reads the request's body into the members. It ignores the media type. It
// reads an empty body as an empty object, because some clients send an empty
// chunked body. It skips a member that is null, except a GivenOrNull. It refuses,
// by name, a member that is unknown, that is given twice, or that has another type. For a body that
// is not UTF-8 text of a JSON object, the refusal names what the body is.
func (x *Exchange) Decode(members ...Member) error {
	body, err := x.readBody("malformed_json")
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if what := foreignEncoding(body, x.Request.Header.Get("Content-Type")); what != "" {
		return NewProblem("malformed_json", "The request body "+what+".")
	}
	return namedForm(fill(body, "", members), body)
}

// readBody reads the whole body. malformed is the code of a body that is cut off.
func (x *Exchange) readBody(malformed string) ([]byte, error) {
	if names := contentEncodings(x.Request.Header["Content-Encoding"]); len(names) > 0 && x.Request.ContentLength != 0 {
		return nil, NewProblem("encoding_unsupported", "The request body has the Content-Encoding "+strings.Join(names, ", ")+"; only a body without encoding is allowed.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.Request.Body, MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, NewProblem("body_too_large", fmt.Sprintf("The request body is too large; at most %d bytes are allowed.", MaxBody))
	}
	x.bodyRead = err == nil
	if err != nil {
		return nil, NewProblem(malformed, "The request body is incomplete: the connection ended too early.")
	}
	return body, nil
}

// fill reads one object into the members. Problems name a member by path and
// name; path is "" or ends with a dot.
func fill(object []byte, path string, members []Member) error {
	given, err := split(object, path)
	if err != nil {
		return err
	}
	for _, m := range members {
		raw, ok := given[m.name]
		delete(given, m.name)
		if _, null := m.into.(givenOrNull); !ok || string(raw) == "null" && !null {
			continue
		}
		if err := m.read(raw, path); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return FieldProblem("unknown_member", path+printable(name), "is unknown; "+allowed(names(members)))
	}
	return nil
}

func (m Member) read(raw json.RawMessage, path string) error {
	if inner, ok := m.into.(nested); ok {
		if raw[0] != '{' {
			return FieldProblem("wrong_type", path+m.name, "must be "+m.want)
		}
		*inner.present = true
		return fill(raw, path+m.name+".", inner.members)
	}
	switch inner := m.into.(type) {
	case given:
		*inner.present, m.into = true, inner.into
	case givenOrNull:
		*inner.present, m.into = true, inner.into
	}
	if json.Unmarshal(raw, m.into) != nil {
		return FieldProblem("wrong_type", path+m.name, "must be "+m.want)
	}
	return nil
}

// split returns the members of an object. It is stricter than json.Unmarshal,
// which takes the last of two members with the same name and ignores the case
// of names.
func split(object []byte, path string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	open, err := d.Token()
	if err != nil {
		return nil, malformed(err)
	}
	if open != json.Delim('{') {
		return nil, NewProblem("malformed_json", "The request body must be one JSON object.")
	}
	given := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, malformed(err)
		}
		name := key.(string) // inside an object the decoder returns only strings here
		if _, twice := given[name]; twice {
			return nil, FieldProblem("malformed_json", path+printable(name), "is given twice; each member is allowed once")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, malformed(err)
		}
		given[name] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed(err)
	}
	switch next, err := d.Token(); {
	case errors.Is(err, io.EOF):
	case next == json.Delim('{'):
		return nil, NewProblem("malformed_json", "The request body has a second JSON object after its JSON object (NDJSON, or two bodies in one); only one object is allowed.")
	default:
		return nil, NewProblem("malformed_json", "The request body has text after its JSON object; only one object is allowed.")
	}
	return given, nil
}

// malformed explains a syntax error of JSON. It may repeat the decoder's text,
// because that text quotes at most one character of the body.
func malformed(err error) *Problem {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return NewProblem("malformed_json", fmt.Sprintf("The request body is not JSON: %s (byte %d).", syntax, syntax.Offset))
	}
	return NewProblem("malformed_json", "The request body is not JSON: it ends too early.")
}

// printable returns a name that an answer may repeat. It replaces a text that
// does not look like a name, because the client may have put a token there. A long
// word with digits or with many capital letters may be a part of a token.
func printable(name string) string {
	const hidden = "(a name that is not shown)"
	digits, capitals := 0, 0
	for _, c := range name {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'A' <= c && c <= 'Z':
			capitals++
		case c != '_' && c != '-' && (c < 'a' || c > 'z'):
			return hidden
		}
	}
	if name == "" || len(name) > 30 || len(name) > 12 && (digits > 0 || capitals > 3) {
		return hidden
	}
	return name
}

func names(members []Member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.name
	}
	return all
}

// Text is the value of one member of a request.
func Text(member, value string) text { return text{member, value} }

type text struct{ member, value string }

// NoToken refuses texts that contain a token. The service would store and
// publish these texts and show them to other users.
func NoToken(texts ...text) error {
	for _, t := range texts {
		if secret.Within(t.value) {
			return FieldProblem("invalid_field", t.member, "contains a token, which is not allowed; revoke that token")
		}
	}
	return nil
}
