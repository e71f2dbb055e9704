package httpapi_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// breaks are the ways to change a request that fits the document so that it does
// not fit. Each returns false if the request has no place for the change.
var breaks = map[string]func(generator, *rapid.T, *sample) bool{
	"an unknown parameter": func(_ generator, _ *rapid.T, s *sample) bool { s.query.Set("surplus", "1"); return true },
	"a repeated parameter": func(g generator, t *rapid.T, s *sample) bool {
		return !s.query.Has("state") && eachParameter(func(value string) []string { return []string{value, value} })(g, t, s)
	},
	"a state and an empty one": func(_ generator, _ *rapid.T, s *sample) bool { s.query.Add("state", ""); return s.has("state") },
	"an empty parameter":       eachParameter(func(string) []string { return []string{""} }),
	"a parameter with a tail":  eachParameter(func(value string) []string { return []string{value + "\x01"} }), // a control character fits no parameter
	"a limit of zero":          func(_ generator, _ *rapid.T, s *sample) bool { return s.has("limit") && s.set("limit", "0") },
	"a limit with a sign":      func(_ generator, _ *rapid.T, s *sample) bool { return s.has("limit") && s.set("limit", "+1") },
	"a number for a truth": func(_ generator, _ *rapid.T, s *sample) bool {
		return s.has("with_children") && s.set("with_children", "1")
	},
	"a bare entity tag":        func(_ generator, _ *rapid.T, s *sample) bool { s.header.Set("If-Match", "1"); return s.has("If-Match") },
	"an id of another form":    brokenID,
	"an unknown member":        changed(func(t *rapid.T, o map[string]any) { o["surplus"] = 1 }),
	"a member of another type": changed(otherType),
	"a text that is too long": changed(func(t *rapid.T, o map[string]any) {
		change(t, o, func(s string) any { return s + strings.Repeat("x", 2049) })
	}),
	"a text with a tail": changed(func(t *rapid.T, o map[string]any) { change(t, o, func(s string) any { return s + "\x01" }) }),
	"a number of an id":  changed(func(t *rapid.T, o map[string]any) { o["user"] = map[string]any{"uid": 4294967295} }),
	"a gid":              changed(func(t *rapid.T, o map[string]any) { o["user"] = map[string]any{"name": "ann", "gid": 0} }),
	"no user":            changed(func(t *rapid.T, o map[string]any) { o["user"] = map[string]any{"name": ""} }),
	"too many scopes":    changed(func(t *rapid.T, o map[string]any) { o["scopes"] = slices.Repeat([]string{"GET /"}, 17) }),
	"two expiries": changed(func(t *rapid.T, o map[string]any) {
		o["expires_in"], o["expiration_time"] = "1D", "2030-01-20T00:00:00Z"
	}),
	"an expiry and none":         changed(func(t *rapid.T, o map[string]any) { o["expires_in"], o["expiration_time"] = "1D", nil }), // fits a create
	"an end of the other secret": changed(func(t *rapid.T, o map[string]any) { o["previous_secret_until"] = "2030-01-20T00:00:00Z" }),
	"an address with a zone":     changed(func(t *rapid.T, o map[string]any) { o["source_ip"] = "fe80::1%eth0" }),
	"a missing token":            changed(func(t *rapid.T, o map[string]any) { delete(o, "token") }),
	"a repeated member":          withText(func(text []byte) []byte { return slices.Concat([]byte(`{"name":"x","name":"x",`), text[1:]) }),
	"a cut body":                 withText(func(text []byte) []byte { return text[:len(text)-1] }),
	"a list":                     withText(func(text []byte) []byte { return slices.Concat([]byte("["), text, []byte("]")) }),
	"a second body":              withText(func(text []byte) []byte { return slices.Concat(text, text) }),
	"no UTF-8":                   withText(func(text []byte) []byte { return slices.Concat(text[:1], []byte("\"\xff\":1,"), text[1:]) }),
	"a body that is too large":   withText(func(text []byte) []byte { return slices.Concat(text, bytes.Repeat([]byte(" "), 65536)) }),
	"an encoding": func(_ generator, _ *rapid.T, s *sample) bool {
		s.header.Set("Content-Encoding", "gzip")
		return s.body != ""
	},
	"a large header": func(_ generator, _ *rapid.T, s *sample) bool {
		s.header.Set("X-Large", strings.Repeat("x", 64<<10))
		return true
	},
	"an unknown expectation": func(_ generator, _ *rapid.T, s *sample) bool { s.header.Set("Expect", "wonders"); return true },
}

// breakIt draws changes until one of them makes the request differ from the
// document.
func (g generator) breakIt(t *rapid.T, s sample) sample {
	for {
		changed := s
		changed.query, changed.header, changed.values = maps.Clone(s.query), s.header.Clone(), maps.Clone(s.values)
		changed.broken = rapid.SampledFrom(slices.Sorted(maps.Keys(breaks))).Draw(t, "break")
		if breaks[changed.broken](g, t, &changed) {
			return changed
		}
	}
}

func (s *sample) has(parameter string) bool {
	return slices.ContainsFunc(s.parameters, func(p map[string]any) bool { return p["name"] == parameter })
}

func (s *sample) set(parameter, value string) bool {
	s.query.Set(parameter, value)
	return true
}

func eachParameter(values func(string) []string) func(generator, *rapid.T, *sample) bool {
	return func(_ generator, t *rapid.T, s *sample) bool {
		if len(s.query) == 0 {
			return false
		}
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(s.query))).Draw(t, "parameter")
		s.query[name] = values(s.query.Get(name))
		return true
	}
}

// brokenID draws an id of a wrong length or with a character that ids do not have.
func brokenID(_ generator, t *rapid.T, s *sample) bool {
	if !s.has("id") {
		return false
	}
	s.values["id"] = rapid.OneOf(rapid.StringMatching("[0-9A-Za-z]{9,300}|[0-9A-Za-z]{1,3}|[0-9A-Za-z]{7}[^0-9A-Za-z/.]")).Draw(t, "id")
	return true
}

// withText changes the text of a body. A body that still fits is no break.
func withText(change func([]byte) []byte) func(generator, *rapid.T, *sample) bool {
	return func(_ generator, _ *rapid.T, s *sample) bool {
		if len(s.text) <= len("{}") {
			return false
		}
		s.text = change(s.text)
		return true
	}
}

// changed changes the object of a body, and reports whether the validator refuses
// the changed body.
func changed(change func(*rapid.T, map[string]any)) func(generator, *rapid.T, *sample) bool {
	return func(g generator, t *rapid.T, s *sample) bool {
		var object map[string]any
		if s.body == "" || json.Unmarshal(s.text, &object) != nil {
			return false
		}
		change(t, object)
		s.text, _ = json.Marshal(object) // the object came from JSON
		return !g.fits(t, s.operation, s.text)
	}
}

// change replaces one text of an object, or of an object or a list within the
// object.
func change(t *rapid.T, object map[string]any, replace func(string) any) {
	if len(object) == 0 {
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(object))).Draw(t, "member")
	switch v := object[name].(type) {
	case string:
		object[name] = replace(v)
	case map[string]any:
		change(t, v, replace)
	case []any:
		if first, ok := append(v, nil)[0].(string); ok {
			v[0] = replace(first)
		}
	}
}

// otherType replaces one member by a value of another type.
func otherType(t *rapid.T, object map[string]any) {
	if len(object) == 0 {
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(object))).Draw(t, "member")
	if inner, ok := object[name].(map[string]any); ok && rapid.Bool().Draw(t, "inner") {
		otherType(t, inner)
		return
	}
	object[name] = rapid.SampledFrom([]any{true, 1.5, -1, "text", []any{1}, []any{nil}, map[string]any{"x": 1}}).Draw(t, "other value")
}
