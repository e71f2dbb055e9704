package name

import (
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"apitoken/events/jsontext"
)

func TestUsersHaveOneKey(t *testing.T) {
	for text, key := range map[string]string{
		"ann": "ann", "local:ann": "ann", "LOCAL:ann": "ann", "API_NULL_DOMAIN:ann": "ann",
		"ad:ann": "ACTIVE_DIRECTORY:ann", "ACTIVE_DIRECTORY:ann": "ACTIVE_DIRECTORY:ann", "ad:500": "ACTIVE_DIRECTORY:500", "ad:a:b": "ACTIVE_DIRECTORY:a:b",
		"ldap_user:ann": "POSIX_USER:ann", "POSIX_USER:ann": "POSIX_USER:ann",
		"auth_id:500": "auth_id:500", "auth_id:0500": "auth_id:500", "auth_id:0x1F4": "auth_id:500", "auth_id:ann": "ann",
		"auth_id:18446744073709551615": "auth_id:18446744073709551615", "auth_id:ACTIVE_DIRECTORY:ann": "ACTIVE_DIRECTORY:ann", "auth_id:uid:7": "uid:7",
		"uid:0": "uid:0", "uid:1001": "uid:1001", "uid:4294967294": "uid:4294967294",
		"S-1-5-21-1-2-3-1001": "S-1-5-21-1-2-3-1001", "sid:S-1-5-21-1-2-3-1001": "S-1-5-21-1-2-3-1001", "auth_id:S-1-5-21-1-2-3-1001": "S-1-5-21-1-2-3-1001",
		`AD\ann`: `AD\ann`, "cn=a:b,dc=x": "cn=a:b,dc=x", "ann@example.org": "ann@example.org", "a/b": "a/b", "Ännchen von Tharau": "Ännchen von Tharau",
		"1und1": "1und1", strings.Repeat("n", 256): strings.Repeat("n", 256), strings.Repeat("e\u0301", 128): strings.Repeat("\u00e9", 128), "local:" + strings.Repeat("n", 256): strings.Repeat("n", 256),
	} {
		i, err := ParseIdentity(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := i.Key(); got != key || err != nil {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, key)
		}
		if err := ValidOwner(key); err != nil {
			t.Errorf("%s gives the key %s: %v", text, key, err)
		}
	}
}

func TestTextsThatNameNoUserAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "local:", "ad:", "auth_id:", "uid:", "sid:", ":ann", "foo:bar", "LDAP:ann", "Local:ann",
		"gid:100", "POSIX_GROUP:staff", "ldap_group:staff", "WORLD:Everyone", "world:Everyone",
		"API_INVALID_DOMAIN:ann", "API_RESERVED_DOMAIN:ann", "API_INTERNAL_DOMAIN:ann", "API_OPERATOR_DOMAIN:ann", "API_CREATOR_DOMAIN:ann",
		"500", "0x1f4", "local:500", "local:uid:7", "local:S-1-5-7", "s-1-5-21-1", "local:foo:bar",
		"uid:-1", "uid:+1", "uid:01", "uid:1.0", "uid:0x10", "uid:4294967295", "uid:99999999999999999999", "uid:ann", "gid:x",
		"auth_id:18446744073709551616", "auth_id:gid:5", "auth_id:local:ann", "auth_id:auth_id:auth_id:5",
		"oidc:google:ABC", "OIDC:x", "local:oidc:x", "auth_id:oidc:x:y", "session:ann", "user:ann", // other forms, to come or invented
		"oidc\uff1ax", "uid\uff1a7", "ad\uff1aann", "gid\ufe557", "\uff15\uff10\uff10", "\uff10\uff581f4", "\uff33-1-5-21-1", // other forms in full width
		"S-1-", "S-1-5", "S-1-5-x", "S-1-05-1", "S-1-5-4294967296", "S-1-281474976710656-1", "sid:S-2-5-1", "S-1-5" + strings.Repeat("-1", 16),
		"S-1-1-0", "S-1-5-32-544",
		" ann", "ann ", "ad:ann\u2003", "an\u200bn", "an\u202en", "local:\ufeffann",
		"an\nn", "an\x00n", "an\u0085n", "an\x7fn", "an\xffn", "ad:an\nn", "auth_id:a\x00", strings.Repeat("n", 257), "ad:" + strings.Repeat("n", 240), strings.Repeat("\u00e9", 129), strings.Repeat("n", 1<<20), "auth_id:" + strings.Repeat("0", 257),
	} {
		i, err := ParseIdentity(text)
		if err == nil {
			_, err = i.Key()
		}
		if err == nil {
			t.Errorf("%q is accepted as a user", text)
		} else if r := refusal(t, err); r.Field != "user" || strings.ContainsAny(r.Detail, "\n\x00") {
			t.Errorf("%q: got a refusal of %s: %q", text, r.Field, r.Detail)
		}
	}
}

func TestOwnerKeysHaveOneForm(t *testing.T) {
	for _, text := range []string{"local:ann", "LOCAL:ann", "API_NULL_DOMAIN:ann", "ad:ann", "auth_id:0x1f4", "auth_id:ann", "sid:S-1-5-21-1-2-3-1001", "auth_id:007"} {
		if ValidOwner(text) == nil {
			t.Errorf("%s is accepted as an owner key", text)
		}
	}
	for text, right := range map[string]string{
		"jose\u0301": `"jos\u00e9"`, "\uff41nn": `"ann"`, "i\u0307van": `"ivan"`, "ACTIVE_DIRECTORY:Bob": `"ACTIVE_DIRECTORY:bob"`, "local:ann": `"ann"`,
		"ACTIVE_DIRECTORY:\u039d\u0399\u039a\u039f\u03a3": `"ACTIVE_DIRECTORY:\u03bd\u03b9\u03ba\u03bf\u03c3"`,
	} {
		if r := refusal(t, ValidOwner(text)); !strings.HasSuffix(r.Detail, "write "+right) {
			t.Errorf("%+q: got %q, want a detail that names %s", text, r.Detail, right)
		}
	}
}

func TestMembersThatNameDifferentUsersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		i    Identity
		want string // empty: refused
	}{
		"name and its owner key": {Identity{Domain: "LOCAL", Name: "ann", AuthID: "ann"}, "ann"},
		"uid and its owner key":  {Identity{Domain: "POSIX_USER", UID: new(uint64(7)), AuthID: "uid:7"}, "uid:7"},
		"sid in a domain":        {Identity{Domain: "ACTIVE_DIRECTORY", SID: "S-1-5-21-1"}, "S-1-5-21-1"},
		"name and uid":           {Identity{Name: "ann", UID: new(uint64(7))}, ""},
		"name and another's id":  {Identity{Name: "ann", AuthID: "bob"}, ""},
		"name and sid":           {Identity{Name: "ann", SID: "S-1-5-21-1"}, ""},
		"user and group":         {Identity{Name: "ann", GID: new(uint64(7))}, ""},
		"a uid of AD":            {Identity{Domain: "ACTIVE_DIRECTORY", UID: new(uint64(7))}, ""},
		"a uid too large":        {Identity{UID: new(uint64(1 << 32))}, ""},
		"a domain alone":         {Identity{Domain: "LOCAL"}, ""},
		"nothing":                {Identity{}, ""},
		"an unknown domain":      {Identity{Domain: "MARS", Name: "ann"}, ""},
		"a long auth_id":         {Identity{AuthID: strings.Repeat("auth_id:", 1<<16) + "5"}, ""},
	} {
		got, err := c.i.Key()
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestIdentitiesShowAllSixMembers(t *testing.T) {
	for key, want := range map[string]string{
		"ann":                  `{"domain":"LOCAL","auth_id":null,"uid":null,"gid":null,"sid":null,"name":"ann"}`,
		"ACTIVE_DIRECTORY:ann": `{"domain":"ACTIVE_DIRECTORY","auth_id":null,"uid":null,"gid":null,"sid":null,"name":"ann"}`,
		"uid:0":                `{"domain":null,"auth_id":null,"uid":0,"gid":null,"sid":null,"name":null}`,
		"auth_id:500":          `{"domain":null,"auth_id":"500","uid":null,"gid":null,"sid":null,"name":null}`,
		"S-1-5-21-1":           `{"domain":null,"auth_id":null,"uid":null,"gid":null,"sid":"S-1-5-21-1","name":null}`,
	} {
		b, err := json.Marshal(IdentityOf(key))
		if err != nil || string(b) != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", key, b, err, want)
		}
		var back Identity
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, IdentityOf(key)) {
			t.Errorf("%s: read back as %+v, %v", key, back, err)
		}
	}
}

func TestANameWithoutADomainNamesUsersOfEveryDomain(t *testing.T) {
	for text, want := range map[string][]string{
		"ann":                    {"ann", "ACTIVE_DIRECTORY:ann", "POSIX_USER:ann"},
		"Jose\u0301":             {"Jos\u00e9", "ACTIVE_DIRECTORY:jos\u00e9", "POSIX_USER:Jos\u00e9"},
		"Guest":                  {"Guest", "ACTIVE_DIRECTORY:guest", "POSIX_USER:Guest", "auth_id:501"},
		"Everyone":               {"Everyone", "ACTIVE_DIRECTORY:everyone", "POSIX_USER:Everyone", "auth_id:8589934592"},
		"local:Guest":            {"Guest"},
		"ad:Ann":                 {"ACTIVE_DIRECTORY:ann"},
		strings.Repeat("n", 250): {strings.Repeat("n", 250)}, // the other two keys would be too long
		"local:ann":              {"ann"},
		"ad:ann":                 {"ACTIVE_DIRECTORY:ann"},
		"uid:7":                  {"uid:7"},
		"auth_id:7":              {"auth_id:7"},
		"S-1-5-21-1":             {"S-1-5-21-1"},
	} {
		if got, err := OwnersNamed(text); !slices.Equal(got, want) || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "gid:5", "foo:bar", "500"} {
		if got, err := OwnersNamed(text); err == nil {
			t.Errorf("%q names %v", text, got)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, seed := range []string{"ann", "local:ann", "ad:a:b", "auth_id:0x3e9", "auth_id:uid:7", "uid:1001", "gid:5", "S-1-5-21-1-2-3-4", "s-1-5", "cn=a:b,dc=x", "500", "WORLD:x", "a\x00b", "auth_id:auth_id:5", "sid:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := ParseIdentity(text)
		var key string
		if err == nil {
			key, err = i.Key()
		}
		if err != nil {
			refusal(t, err)
			return
		}
		if err := ValidOwner(key); err != nil {
			t.Errorf("%q gives the key %q: %v", text, key, err)
		}
		if back, err := IdentityOf(key).Key(); back != key || err != nil {
			t.Errorf("%q gives the key %q, but the identity of this key gives %q, %v", text, key, back, err)
		}
		if self, err := (Identity{AuthID: key}).Key(); strings.Trim(key, "0123456789") != "" && (self != key || err != nil) {
			t.Errorf("the key %q as auth_id is %q, %v", key, self, err)
		}
		if owners, err := OwnersNamed(text); err != nil || !slices.Contains(owners, key) {
			t.Errorf("%q names %q, %v, and its key is %q", text, owners, err, key)
		}
	})
}

// TestANumberLeadsBackToItsOwnerKey: who-am-i answers the number, and clients send it
// back as auth_id, also to filter a list.
func TestANumberLeadsBackToItsOwnerKey(t *testing.T) {
	for _, key := range []string{
		"ann", "a", "admin", "uid:1001", "S-1-5-21-1-2-3-1001", "ACTIVE_DIRECTORY:ann", "auth_id:500", "auth_id:18446744073709551615",
		"żółw", strings.Repeat("n", MaxOwner), "12345678", "oidc user",
	} {
		n := Number(key)
		if strings.Trim(n, "0123456789") != "" || len(n) > maxNumber {
			t.Errorf("%s: got the number %s", key, n)
		}
		if ValidOwner(key) != nil {
			continue // it only must not fail
		}
		if got, err := (Identity{AuthID: n}).Key(); got != key || err != nil {
			t.Errorf("%s: the auth_id %s gives %s, %v", key, n, got, err)
		}
		if got, err := OwnersNamed("auth_id:" + n); err != nil || len(got) != 1 || got[0] != key {
			t.Errorf("%s: the filter auth_id:%s gives %v, %v", key, n, got, err)
		}
	}
}

// TestNumbersOfNoOwnerAreRefused: one owner key has one number, and a number of at most
// 64 bits is always an auth_id.
func TestNumbersOfNoOwnerAreRefused(t *testing.T) {
	ann, ok := new(big.Int).SetString(Number("ann"), 10)
	if !ok {
		t.Fatal("the number of ann is none")
	}
	longer := new(big.Int).SetBytes(append([]byte{1, 0}, ann.Bytes()[1:]...)) // with one zero more
	for _, n := range []string{
		"18446744073709551616", "0" + ann.String(), longer.String(), new(big.Int).Lsh(ann, 8).String(), new(big.Int).Add(ann, big.NewInt(1<<40)).String(),
		"36893488147419103232", strings.Repeat("9", 619), strings.Repeat("9", 5000),
		Number("JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"), Number("ad JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"), // a token
	} {
		if got, err := (Identity{AuthID: n}).Key(); err == nil {
			t.Errorf("the auth_id %.40s gives %q", n, got)
		} else if r := refusal(t, err); r.Field != "user" || !strings.Contains(r.Detail, "allowed") {
			t.Errorf("the auth_id %.40s: got %+v", n, r)
		}
	}
	if n, err := (Identity{AuthID: "500"}).Key(); n != "auth_id:500" || err != nil {
		t.Errorf("got %s, %v", n, err)
	}
}

// TestIdentityWrittenByHandIsTheSame as by encoding/json, or is left to it.
func TestIdentityWrittenByHandIsTheSame(t *testing.T) {
	numbers := rapid.Ptr(rapid.Uint64(), true)
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.StringMatching(`[a-z]*`) // all of them plain
		if rapid.Bool().Draw(t, "any text") {
			texts = rapid.OneOf(rapid.StringMatching(`[ -~]*`), rapid.String())
		}
		i := Identity{
			Domain: texts.Draw(t, "domain"), AuthID: texts.Draw(t, "auth_id"), UID: numbers.Draw(t, "uid"), GID: numbers.Draw(t, "gid"),
			SID: texts.Draw(t, "sid"), Name: texts.Draw(t, "name"),
		}
		want, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		p := jsontext.Plain{JSON: []byte("x")}
		if i.AppendJSON(&p); p.Failed {
			return
		}
		plain++
		if got := string(p.JSON); got != "x"+string(want) {
			t.Errorf("got %s, want x%s", got, want)
		}
	})
	if plain == 0 {
		t.Error("no identity was written by hand: the test shows nothing")
	}
}

// TestNumberIsTheOneOfMathBig for keys of every length, with the smallest and largest
// bytes.
func TestNumberIsTheOneOfMathBig(t *testing.T) {
	for size := range 40 {
		for _, key := range []string{strings.Repeat("\x00", size), strings.Repeat("\xff", size), strings.Repeat("josephine", 5)[:size]} {
			b := make([]byte, max(numberBytes, 1+size))
			b[0] = 1
			copy(b[len(b)-size:], key)
			if got, want := Number(key), new(big.Int).SetBytes(b).String(); got != want {
				t.Errorf("%q: got %s, want %s", key, got, want)
			}
		}
	}
}
