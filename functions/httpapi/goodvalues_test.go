package httpapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// goodValues has, for each rule that a schema cannot say, values that obey the
// rule.
var goodValues = map[string]func(g generator, t *rapid.T, schema map[string]any) any{
	"user":          oneOf("ann", "local:ann", "ad:Ann", "POSIX_USER:bob", "auth_id:0x1f4", "uid:4294967294", "S-1-5-21-1-2-3-1001", "Ännchen von Tharau", "日本", "a/b", strings.Repeat("n", 256)),
	"user-name":     oneOf("", "ann", "bob", "Ännchen von Tharau", "日本", "ann@example.org", `AD\ann`, strings.Repeat("n", 237), strings.Repeat("é", 118)),
	"owner-key":     oneOf("", "ann", "500", "0x1F4", "18446744073709551615", "ACTIVE_DIRECTORY:ann", "uid:7", "S-1-5-21-1"),
	"sid":           oneOf("", "S-1-5-21-1-2-3-1001", "S-1-0-0", "S-1-281474976710655-4294967295", "S-1-5"+strings.Repeat("-1", 15)),
	"text":          oneOf("", "backup", "Sicherung für Tharau 日本 👍", strings.Repeat("n", 128), strings.Repeat("é", 64)),
	"instant":       oneOf("", "2030-01-20T00:00:00Z", "2030-01-20t00:00:00.123456789z", "9999-12-31T23:59:59+00:00", "2032-02-29T23:59:59-23:59", "0001-01-01T00:00:00Z", "2026-11-21T20:59:57Z"),
	"given-instant": oneOf("2030-01-20T00:00:00Z", "2026-11-21t20:59:57.642000999z", "2026-11-22T00:00:00+01:00", "2026-11-21T21:30:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
	"lifetime":      oneOf("", "180D", "1s", "00001S", "292Y", "3558M", "15250w", "106751d", "2562047h", "153722867m", "9223372036s"),
	"grace":         oneOf("", "0", "0s", "000Y", "5m", "24H", "1Y", "365D", "52w"),
	"source-range":  oneOf("192.0.2.7", "192.0.2.7/24", "0.0.0.0/0", "::/0", "2001:db8::1", "::ffff:192.0.2.0/120", "127.0.0.1"),
	"address":       oneOf("", "192.0.2.7", "::1", "::ffff:192.0.2.7", "2001:db8::ffff:192.0.2.7"),
	"call":          oneOf("", "GET /", "GET /v1/things/7", "DELETE /a/../b", "PUT /%zz", "HEAD /é", "GET /"+strings.Repeat("x", 2043)),
	"digits":        func(_ generator, t *rapid.T, schema map[string]any) any { return whole(t, "digits", schema) },
	"sequence":      oneOf("0", "1", "007", "18446744073709551615", "000018446744073709551615"),
	"cursor":        oneOf("a cursor is taken from an earlier answer"), // see follow
}

// The values of this rule are drawn from members with rules.
func init() { goodValues["one-user"] = oneUser }

func oneOf(values ...string) func(generator, *rapid.T, map[string]any) any {
	return func(_ generator, t *rapid.T, _ map[string]any) any {
		return rapid.SampledFrom(values).Draw(t, "good value")
	}
}

// oneUser draws an identity with one member that names a user, or an identity with
// two such members that name the same user. Other members are absent, null or "".
func oneUser(g generator, t *rapid.T, schema map[string]any) any {
	members := schema["properties"].(map[string]any)
	user := map[string]any{}
	for _, name := range []string{"domain", "auth_id", "gid", "sid", "name", "uid"} {
		if rapid.Bool().Draw(t, "null "+name) {
			user[name] = nil
		}
	}
	naming := rapid.SampledFrom([]string{"auth_id", "uid", "sid", "name", "both"}).Draw(t, "naming")
	if naming == "both" {
		user["name"], user["auth_id"] = "ann", "ann"
		return user
	}
	user[naming] = g.value(t, naming, members[naming].(map[string]any))
	if rapid.Bool().Draw(t, "has domain") {
		user["domain"] = g.value(t, "domain", members["domain"].(map[string]any))
	}
	return user
}

// TestOpenAPIRulesHaveGoodValues: each rule of the document has good values, and no
// good values are left over from a rule that the document does not have.
func TestOpenAPIRulesHaveGoodValues(t *testing.T) {
	rules := map[string]bool{}
	rulesOf(documented(t).root, rules)
	want, got := slices.Sorted(maps.Keys(rules)), slices.Sorted(maps.Keys(goodValues))
	if !slices.Equal(got, want) {
		t.Errorf("got good values for %v, want them for %v", got, want)
	}
}

func rulesOf(value any, rules map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		if rule, ok := v[ruleMember].(string); ok {
			rules[rule] = true
		}
		for _, inner := range v {
			rulesOf(inner, rules)
		}
	case []any:
		for _, inner := range v {
			rulesOf(inner, rules)
		}
	}
}
