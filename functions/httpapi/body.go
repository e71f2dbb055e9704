package httpapi

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
	"unicode/utf8"

	"apitoken/events/secret"
	"apitoken/events/token"
)

// maxBody is how many bytes of a request's body are read at most. The largest
// create that the rules allow has about a tenth of that.
const maxBody = 64 << 10

// member is one member that an object may have.
type member struct {
	name string
	want string // its type, for people: "a string"
	into any    // as for json.Unmarshal
}

// nested is a member that is itself an object; seen tells whether it was there.
type nested struct {
	seen    *bool
	members []member
}

// decode reads the request's body into the members. The type that the client
// declares does not matter, and no body at all is an empty object: some
// clients send an empty chunked one. A member that is null is left alone. What
// is not known, given twice, or of another type is refused by its name.
func (x *exchange) decode(members ...member) error {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return newProblem("body_too_large", fmt.Sprintf("A request body has at most %d bytes.", maxBody))
	}
	if err != nil {
		return newProblem("malformed_json", "The request body broke off before its end.")
	}
	if !utf8.Valid(body) {
		return newProblem("malformed_json", "The request body is not UTF-8.")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return fill(body, "", members)
}

// fill reads one object; path stands before the names of its members.
func fill(object []byte, path string, members []member) error {
	given, err := split(object, path)
	if err != nil {
		return err
	}
	for _, m := range members {
		raw, ok := given[m.name]
		delete(given, m.name)
		if !ok || string(raw) == "null" {
			continue
		}
		if err := m.read(raw, path); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return fault("unknown_member", path+printable(name), "is not known; "+knownAre(names(members)))
	}
	return nil
}

func (m member) read(raw json.RawMessage, path string) error {
	if inner, ok := m.into.(nested); ok {
		if raw[0] != '{' {
			return fault("wrong_type", path+m.name, "must be "+m.want)
		}
		*inner.seen = true
		return fill(raw, path+m.name+".", inner.members)
	}
	if json.Unmarshal(raw, m.into) != nil {
		return fault("wrong_type", path+m.name, "must be "+m.want)
	}
	return nil
}

// split takes an object apart. encoding/json alone would take the last of two
// members with one name, and match names whatever their case.
func split(object []byte, path string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	open, err := d.Token()
	if err != nil {
		return nil, malformed(err)
	}
	if open != json.Delim('{') {
		return nil, newProblem("malformed_json", "The request body must be one JSON object.")
	}
	given := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, malformed(err)
		}
		name := key.(string) // within an object the decoder gives nothing else here
		if _, twice := given[name]; twice {
			return nil, fault("malformed_json", path+printable(name), "is given twice")
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
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, newProblem("malformed_json", "The request body has something after its JSON object.")
	}
	return given, nil
}

// malformed says what is wrong with JSON. The decoder's own texts quote one
// character at most.
func malformed(err error) *Problem {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return newProblem("malformed_json", fmt.Sprintf("The request body is not JSON: %s (byte %d).", syntax, syntax.Offset))
	}
	return newProblem("malformed_json", "The request body is not JSON: it ends too early.")
}

// fault is a problem with one member or parameter.
func fault(code, field, detail string) *Problem {
	sentence := fmt.Sprintf("%s %s.", field, detail)
	return newProblem(code, sentence, FieldError{Field: field, Detail: sentence})
}

// printable keeps from an answer what was never meant as a name: somebody may
// have put a token where a name belongs.
func printable(name string) string {
	plain := func(c rune) bool {
		return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if name == "" || len(name) > 30 || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return "(a name that is not repeated here)"
	}
	return name
}

func names(members []member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.name
	}
	return all
}

// identityMembers are the members of an identity object, all of which may be
// null: Qumulo's clients give those that they know.
func identityMembers(into *token.Identity) []member {
	return []member{
		{"domain", "a string", &into.Domain},
		{"auth_id", "a string", &into.AuthID},
		{"uid", "a whole number", &into.UID},
		{"gid", "a whole number", &into.GID},
		{"sid", "a string", &into.SID},
		{"name", "a string", &into.Name},
	}
}

// text is what a member holds.
type text struct{ member, value string }

// noToken refuses a token in a place that is stored, published and shown to
// others.
func noToken(texts ...text) error {
	for _, t := range texts {
		if secret.Within(t.value) {
			return fault("invalid_field", t.member, "holds a token, which does not belong there; revoke that token")
		}
	}
	return nil
}
