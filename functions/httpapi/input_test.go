package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/events/name"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

func named(user string) *name.Identity { return &name.Identity{Name: user} }

// settledScene returns a scene in which the last use of the administrator's token
// is already stored. After that, only a command changes the store.
func settledScene(t *testing.T) *scene {
	w := newScene(t)
	w.do("GET", "/v1/session/who-am-i", w.admin, "").expect(t, http.StatusOK, "")
	w.make(httpapi.CreateRequest{User: named("settled")}) // the store writes this after the use
	return w
}

// refusals is the table of bad bodies, each with the status and the code of the
// answer and with text that the answer must contain.
var refusals = []struct {
	name, body string
	status     int
	code       string
	names      string // the detail must contain this
	field      string // the field in errors; "": errors is empty
}{
	{"no JSON", `{"name": nope}`, 400, "malformed_json", "not JSON", ""},
	{"a form", `name=x&user=ann`, 400, "malformed_json", "not JSON", ""},
	{"an unfinished object", `{"name":"x"`, 400, "malformed_json", "too early", ""},
	{"an unfinished text", `{"name":"x`, 400, "malformed_json", "too early", ""},
	{"a missing value", `{"name":}`, 400, "malformed_json", "not JSON", ""},
	{"a missing colon", `{"name" "x"}`, 400, "malformed_json", "not JSON", ""},
	{"a missing comma", `{"name":"x" "description":"y"}`, 400, "malformed_json", "not JSON", ""},
	{"a surplus comma", `{"name":"x",}`, 400, "malformed_json", "not JSON", ""},
	{"very deep lists", `{"name":` + strings.Repeat("[", 20000) + `}`, 400, "malformed_json", "not JSON", ""},
	{"a list", `[]`, 400, "malformed_json", "one JSON object", ""},
	{"a text", `"x"`, 400, "malformed_json", "one JSON object", ""},
	{"null", `null`, 400, "malformed_json", "one JSON object", ""},
	{"two objects", `{}{}`, 400, "malformed_json", "after its JSON object", ""},
	{"trailing garbage", `{} x`, 400, "malformed_json", "after its JSON object", ""},
	{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", 400, "malformed_json", "compressed with gzip", ""},
	{"zstd", "\x28\xb5\x2f\xfd\x04\x00", 400, "malformed_json", "compressed with zstd", ""},
	{"deflate", "\x78\x9c\xab\x56", 400, "malformed_json", "compressed with zlib", ""},
	{"a zip archive", "PK\x03\x04\xff", 400, "malformed_json", "compressed with zip", ""},
	{"UTF-16 with a mark", "\xff\xfe{\x00}\x00", 400, "malformed_json", "UTF-16", ""},
	{"UTF-16 with the other mark", "\xfe\xff\x00{\x00}", 400, "malformed_json", "UTF-16", ""},
	{"UTF-16 without a mark", "{\x00}\x00", 400, "malformed_json", "UTF-16", ""},
	{"UTF-32", "\x00\x00\x00{", 400, "malformed_json", "UTF-32", ""},
	{"UTF-32, the other order", "{\x00\x00\x00}\x00\x00\x00", 400, "malformed_json", "UTF-32", ""},
	{"UTF-32 with a mark", "\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", 400, "malformed_json", "UTF-32", ""},
	{"UTF-32 with the other mark", "\x00\x00\xfe\xff\x00\x00\x00{", 400, "malformed_json", "UTF-32", ""},
	{"bzip2", "BZh91AY&SY\x94", 400, "malformed_json", "compressed with bzip2", ""},
	{"xz", "\xfd7zXZ\x00", 400, "malformed_json", "compressed with xz", ""},
	{"lz4", "\x04\x22\x4d\x18\x60", 400, "malformed_json", "compressed with lz4", ""},
	{"snappy", "\xff\x06\x00\x00sNaPpY", 400, "malformed_json", "compressed with snappy", ""},
	{"compress", "\x1f\x9d\x90{", 400, "malformed_json", "compressed with compress", ""},
	{"7-Zip", "7z\xbc\xaf\x27\x1c", 400, "malformed_json", "compressed with 7-Zip", ""},
	{"CBOR", "\xa1\x64name\x61x", 400, "malformed_json", "is CBOR", ""},
	{"CBOR of any length", "\xbf\x64name\x61x\xff", 400, "malformed_json", "is CBOR", ""},
	{"CBOR with its tag", "\xd9\xd9\xf7\xa0", 400, "malformed_json", "is CBOR", ""},
	{"MessagePack", "\x81\xa4name\xa1x", 400, "malformed_json", "is MessagePack", ""},
	{"protocol buffers", "\x0a\x05hello", 400, "malformed_json", "binary data", ""},
	{"a byte order mark", "\ufeff{}", 400, "malformed_json", "byte order mark", ""},
	{"a multipart form", "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n", 400, "malformed_json", "multipart form", ""},
	{"a form with one name", `expires_in=7D`, 400, "malformed_json", "it is a form", ""},
	{"a form with an object in it", `%7B%22name%22%3A%22x%22%7D=`, 400, "malformed_json", "percent-encoded", ""},
	{"XML", `<?xml version="1.0"?><token/>`, 400, "malformed_json", "XML or HTML", ""},
	{"HTML", `<!DOCTYPE html>`, 400, "malformed_json", "XML or HTML", ""},
	{"NDJSON", "{\"name\":\"x\"}\n{\"name\":\"y\"}\n", 400, "malformed_json", "NDJSON", ""},
	{"YAML", "name: x\nexpires_in: 7D\n", 400, "malformed_json", "YAML", ""},
	{"YAML with its mark", "---\nname: x\n", 400, "malformed_json", "YAML", ""},
	{"apostrophes of a shell", `'{"name":"x"}'`, 400, "malformed_json", "apostrophes", ""},
	{"the name of a file", `@body.json`, 400, "malformed_json", "name of a file", ""},
	{"the name of a variable", `$BODY`, 400, "malformed_json", "variable", ""},
	{"a comment", "// a token\n{}", 400, "malformed_json", "comment", ""},
	{"base64", `eyJuYW1lIjoieCJ9`, 400, "malformed_json", "base64", ""},
	{"single quotes", `{'name': 'x'}`, 400, "malformed_json", "single quotes", ""},
	{"names without quotes", `{name: "x"}`, 400, "malformed_json", "names without quotes", ""},
	{"an object of another language", `{"name" => "x"}`, 400, "malformed_json", "=>", ""},
	{"an object that was not encoded", `[object Object]`, 400, "malformed_json", "JavaScript", ""},
	{"a list of objects", `[{"name":"x"}]`, 400, "malformed_json", "one JSON object", ""},
	{"a member twice", `{"name":"a","name":"b"}`, 400, "malformed_json", "name is given twice; each member is allowed once", "name"},
	{"a member twice in user", `{"user":{"name":"a","name":"b"}}`, 400, "malformed_json", "user.name is given twice; each member is allowed once", "user.name"},
	{"no UTF-8", "{\"name\":\"\xff\"}", 400, "malformed_json", "UTF-8", ""},
	{"an unknown member", `{"exipres_in":"1D"}`, 400, "unknown_member", "exipres_in", "exipres_in"},
	{"a member in the wrong case", `{"Name":"x"}`, 400, "unknown_member", "Name", "Name"},
	{"an unknown member of user", `{"user":{"nmae":"ann"}}`, 400, "unknown_member", "user.nmae", "user.nmae"},
	{"name as a number", `{"name":123}`, 400, "wrong_type", "name must be a string", "name"},
	{"description as a boolean", `{"description":true}`, 400, "wrong_type", "description must be a string", "description"},
	{"user as a text", `{"user":"ann"}`, 400, "wrong_type", "user must be an object", "user"},
	{"uid as a text", `{"user":{"uid":"1001"}}`, 400, "wrong_type", "user.uid must be a whole number from 0 to 4294967294", "user.uid"},
	{"uid with a fraction", `{"user":{"uid":1.5}}`, 400, "wrong_type", "user.uid", "user.uid"},
	{"uid below zero", `{"user":{"uid":-1}}`, 400, "wrong_type", "user.uid", "user.uid"},
	{"uid beyond 64 bits", `{"user":{"uid":18446744073709551616}}`, 400, "wrong_type", "user.uid", "user.uid"},
	{"auth_id as a number", `{"user":{"auth_id":500}}`, 400, "wrong_type", "user.auth_id must be a string", "user.auth_id"},
	{"expiration_time as a number", `{"expiration_time":1700000000}`, 400, "wrong_type", "expiration_time", "expiration_time"},
	{"expires_in as a number", `{"expires_in":180}`, 400, "wrong_type", "expires_in", "expires_in"},
	{"scopes as a text", `{"scopes":"GET /v1/*"}`, 400, "wrong_type", "scopes must be a list", "scopes"},
	{"a scope as a number", `{"scopes":[1]}`, 400, "wrong_type", "scopes must be a list of strings", "scopes"},
	{"source_ips as an object", `{"source_ips":{}}`, 400, "wrong_type", "source_ips", "source_ips"},
	{"both expiries", `{"expiration_time":"2030-01-20T00:00:00Z","expires_in":"1D"}`, 400, "invalid_field", "expires_in and expiration_time are both given; only one of them is allowed", "expires_in"},
	{"an expiry that is no time", `{"expiration_time":"tomorrow"}`, 400, "invalid_field", "expiration_time", "expiration_time"},
	{"an expiry without a zone", `{"expiration_time":"2030-01-20T00:00:00"}`, 400, "invalid_field", "expiration_time", "expiration_time"},
	{"an expiry at the zero time", `{"expiration_time":"0001-01-01T00:00:00Z"}`, 422, "expiry_in_past", "not in the future", "expiration_time"},
	{"an expiry at the zero time elsewhere", `{"expiration_time":"0001-01-01T05:00:00+05:00"}`, 422, "expiry_in_past", "not in the future", "expiration_time"},
	{"an expiry before the zero time", `{"expiration_time":"0000-01-01T00:00:00z"}`, 422, "expiry_in_past", "not in the future", "expiration_time"},
	{"an expiry in a leap second", `{"expiration_time":"2030-06-30T23:59:60Z"}`, 400, "invalid_field", "leap seconds are not supported", "expiration_time"},
	{"an expiry with a comma", `{"expiration_time":"2030-01-20T00:00:00,5Z"}`, 400, "invalid_field", "begins with \",\"", "expiration_time"},
	{"an expiry with an hour of one digit", `{"expiration_time":"2030-01-20T1:00:00Z"}`, 400, "invalid_field", "the hour must have 2 digits", "expiration_time"},
	{"an expiry in month 13", `{"expiration_time":"2030-13-20T00:00:00Z"}`, 400, "invalid_field", "the month is 13", "expiration_time"},
	{"an expiry on 30 February", `{"expiration_time":"2030-02-30T00:00:00Z"}`, 400, "invalid_field", "month 02 of the year 2030 has 28 days", "expiration_time"},
	{"an expiry that is a date", `{"expiration_time":"2030-01-20"}`, 400, "invalid_field", "\"T\" must follow", "expiration_time"},
	{"an expiry after the year 9999", `{"expiration_time":"9999-12-31T23:59:59-00:01"}`, 400, "invalid_field", "the year 9999", "expiration_time"},
	{"an expiry in Unix seconds", `{"expiration_time":"1895097600"}`, 400, "invalid_field", "only a number", "expiration_time"},
	{"an expiry in the past", `{"expiration_time":"2020-01-20T00:00:00Z"}`, 422, "expiry_in_past", "", "expiration_time"},
	{"a lifetime of zero", `{"expires_in":"0D"}`, 400, "invalid_field", "0D", "expires_in"},
	{"a negative lifetime", `{"expires_in":"-1D"}`, 400, "invalid_field", "-1D", "expires_in"},
	{"a broken lifetime", `{"expires_in":"1.5D"}`, 400, "invalid_field", "1.5D", "expires_in"},
	{"an unknown unit", `{"expires_in":"1y"}`, 400, "invalid_field", "1y", "expires_in"},
	{"two units", `{"expires_in":"1D2h"}`, 400, "invalid_field", "1D2h", "expires_in"},
	{"a lifetime that is too long", `{"expires_in":"99999999999Y"}`, 400, "invalid_field", "99999999999Y", "expires_in"},
	{"a wide letter", `{"expires_in":"1Ｄ"}`, 400, "invalid_field", `1\uff24`, "expires_in"},
	{"a control character in the name", `{"name":"a\u0007b"}`, 400, "invalid_field", "control character", "name"},
	{"a line break in the description", `{"description":"a\nb"}`, 400, "invalid_field", "control character", "description"},
	{"a control character in the user", `{"user":{"name":"a\u0000"}}`, 400, "invalid_field", "control character", "user"},
	{"half a surrogate pair in the user", `{"user":{"name":"a\ud800b"}}`, 400, "invalid_field", "U+FFFD", "user"},
	{"a group by gid", `{"user":{"gid":100}}`, 400, "invalid_field", "group", "user"},
	{"a group by domain", `{"user":{"domain":"POSIX_GROUP","name":"staff"}}`, 400, "invalid_field", "group", "user"},
	{"the world", `{"user":{"domain":"WORLD","name":"Everyone"}}`, 400, "invalid_field", "WORLD", "user"},
	{"a domain of the API", `{"user":{"domain":"API_CREATOR_DOMAIN","name":"x"}}`, 400, "invalid_field", "API_CREATOR_DOMAIN", "user"},
	{"an unknown domain", `{"user":{"domain":"MARS","name":"x"}}`, 400, "invalid_field", "MARS", "user"},
	{"a user without members", `{"user":{}}`, 400, "invalid_field", "no name, auth_id, uid or sid", "user"},
	{"two different users", `{"user":{"name":"ann","uid":7}}`, 400, "invalid_field", "ann", "user"},
	{"a name like another form", `{"user":{"name":"uid:7"}}`, 400, "invalid_field", "uid:7", "user"},
	{"a user that is one byte too long", `{"user":{"name":"` + strings.Repeat("u", name.MaxOwner+1) + `"}}`, 400, "invalid_field", "257", "user"},
	{"a name that is one byte too long", `{"name":"` + strings.Repeat("n", token.MaxName+1) + `"}`, 400, "invalid_field", "129", "name"},
	{"a description that is one byte too long", `{"description":"` + strings.Repeat("d", token.MaxDescription+1) + `"}`, 400, "invalid_field", "513", "description"},
	{"a scope that is one byte too long", `{"scopes":["GET /` + strings.Repeat("s", token.MaxScope-4) + `"]}`, 400, "invalid_field", "129", "scopes"},
	{"one scope too many", `{"scopes":[` + list(token.MaxScopes+1, `"GET /v1/%d"`) + `]}`, 400, "invalid_field", "17", "scopes"},
	{"one source range too many", `{"source_ips":[` + list(token.MaxSourceIPs+1, `"192.0.2.%d"`) + `]}`, 400, "invalid_field", "17", "source_ips"},
	{"a text that is no scope", `{"scopes":["everything"]}`, 400, "invalid_field", "everything", "scopes"},
	{"a scope that is null", `{"scopes":[null]}`, 400, "invalid_field", "", "scopes"},
	{"a text that is no address", `{"source_ips":["example.com"]}`, 400, "invalid_field", "example.com", "source_ips"},
}

func list(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

func TestBadBodiesAreRefusedByNameAndStoreNothing(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			p := w.do("POST", collection, w.admin, c.body).expect(t, c.status, c.code).problem(t)
			if !strings.Contains(p.Detail, c.names) || p.Description != p.Detail || p.ErrorClass == "" || p.Retryable {
				t.Errorf("got %+v, want a detail that names %q", p, c.names)
			}
			var fields []string
			for _, e := range p.Errors {
				fields = append(fields, e.Field)
			}
			if strings.Join(fields, " ") != c.field {
				t.Errorf("got fields %q, want %q", fields, c.field)
			}
			if w.contents() != before {
				t.Error("the store has changed")
			}
		})
	}
}

// TestEncodedBodyIsRefusedByName: the service reads no encoding, and says so
// before it reads the body.
func TestEncodedBodyIsRefusedByName(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	send := func(path, body string, encoding ...string) answer {
		header := http.Header{"Authorization": {"Bearer " + w.admin}, "Content-Encoding": encoding}
		return w.send("POST", path, header, strings.NewReader(body))
	}
	for _, c := range []struct {
		encoding []string
		names    string
	}{
		{[]string{"gzip"}, "Content-Encoding gzip;"},
		{[]string{"zstd"}, "Content-Encoding zstd;"},
		{[]string{"br"}, "Content-Encoding br;"},
		{[]string{"deflate"}, "Content-Encoding deflate;"},
		{[]string{"GZIP"}, "Content-Encoding GZIP;"},
		{[]string{"x-gzip"}, "Content-Encoding x-gzip;"},
		{[]string{"aws-chunked"}, "Content-Encoding aws-chunked;"},
		{[]string{"gzip, br"}, "Content-Encoding gzip, br;"},
		{[]string{"identity,gzip"}, "Content-Encoding gzip;"},
		{[]string{"gzip", "zstd"}, "Content-Encoding gzip, zstd;"},
		{[]string{"utf-8"}, "Content-Encoding utf-8;"},
		{[]string{"<" + w.admin + ">"}, "a name that is not shown"},
	} {
		for _, path := range []string{collection, "/v1/auth/authorize"} {
			s := send(path, "{}", c.encoding...).expect(t, http.StatusUnsupportedMediaType, "encoding_unsupported")
			if p := s.problem(t); !strings.Contains(p.Detail, c.names) || s.header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%q: got %v %s, want a detail with %q", c.encoding, s.header, s.body, c.names)
			}
		}
	}
	if w.contents() != before || strings.Contains(w.log.String(), w.admin[9:]) {
		t.Error("the store has changed, or the log has the token")
	}
	for i, encoding := range [][]string{{"identity"}, {"IDENTITY, identity"}, {""}, {" , "}} {
		send(collection, fmt.Sprintf(`{"user":{"name":"u%d"}}`, i), encoding...).expect(t, http.StatusOK, "")
	}
	send(collection, "", "gzip").expect(t, http.StatusOK, "") // no body
}

// TestOtherCharsetIsRefusedByName: bytes that are UTF-8 by chance are another text
// in another charset.
func TestOtherCharsetIsRefusedByName(t *testing.T) {
	w := newScene(t)
	send := func(contentType, body string) answer {
		header := http.Header{"Authorization": {"Bearer " + w.admin}, "Content-Type": {contentType}}
		return w.send("POST", collection, header, strings.NewReader(body))
	}
	for _, c := range []struct{ contentType, body, names string }{
		{"application/json; charset=iso-8859-1", "{\"name\":\"\xe9\"}", "iso-8859-1"},
		{"application/json; charset=ISO-8859-15", `{"name":"é"}`, "iso-8859-15"},
		{"application/json;charset=\"windows-1252\"", `{"name":"é"}`, "windows-1252"},
		{"application/json; charset=utf-16", `{"name":"é"}`, "utf-16"},
		{"text/plain; charset=shift_jis", "{\"name\":\"\x83\x41\"}", "shift_jis"},
		{"application/json; charset=" + strings.Repeat("x", 99), `{"name":"é"}`, "not shown"},
	} {
		p := send(c.contentType, c.body).expect(t, http.StatusBadRequest, "malformed_json").problem(t)
		if !strings.Contains(p.Detail, c.names) {
			t.Errorf("%s: got %q, want a detail with %q", c.contentType, p.Detail, c.names)
		}
	}
	for i, contentType := range []string{
		"application/json; charset=utf-8", "application/json; charset=UTF8", "application/json", "application/x-www-form-urlencoded", "text/plain; charset", "", ";;",
	} {
		send(contentType, fmt.Sprintf(`{"user":{"name":"u%d"},"name":"é"}`, i)).expect(t, http.StatusOK, "")
	}
	send("application/json; charset=iso-8859-1", `{"user":{"name":"v"},"name":"e"}`).expect(t, http.StatusOK, "") // only ASCII
}

func TestValuesAtTheirMaximumAreAllowed(t *testing.T) {
	w := newScene(t)
	for i, body := range []string{
		`{"user":{"name":"` + strings.Repeat("u", name.MaxOwner) + `"}}`,
		`{"user":{"name":"b"},"name":"` + strings.Repeat("n", token.MaxName) + `","description":"` + strings.Repeat("d", token.MaxDescription) + `"}`,
		`{"user":{"name":"c"},"scopes":[` + list(token.MaxScopes, `"GET /v1/%d"`) + `],"source_ips":[` + list(token.MaxSourceIPs, `"192.0.2.%d"`) + `]}`,
		`{"user":{"name":"d"},"name":"x"}` + strings.Repeat(" ", machine.MaxBody-32),
	} {
		if s := w.do("POST", collection, w.admin, body); s.status != http.StatusOK {
			t.Errorf("%d: got %d %s, want 200", i, s.status, s.body)
		}
	}
}

// counted is a body of size spaces that counts the bytes that were read.
type counted struct{ read, size int }

func (c *counted) Read(b []byte) (int, error) {
	if c.read >= c.size {
		return 0, io.EOF
	}
	n := min(len(b), c.size-c.read)
	for i := range b[:n] {
		b[i] = ' '
	}
	c.read += n
	return n, nil
}

func TestTooLargeBodyIsRefusedWithoutReadingAllOfIt(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	body := &counted{size: 2 << 20}
	r := request(t, "POST", collection, w.admin)
	r.Body = io.NopCloser(body)
	handle(w.handler(), r).expect(t, http.StatusRequestEntityTooLarge, "body_too_large")
	if body.read > 2*machine.MaxBody {
		t.Errorf("read %d bytes of 2 MB, want at most twice %d", body.read, machine.MaxBody)
	}
	large := strings.Repeat(" ", 2<<20)
	header := http.Header{"Authorization": {"Bearer " + w.admin}}
	s := w.send("POST", collection, header, strings.NewReader(large)) // also over a connection
	s.expect(t, http.StatusRequestEntityTooLarge, "body_too_large")
	if w.contents() != before {
		t.Error("the store has changed")
	}
}

func TestIncompleteBodyIsRefused(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	r := request(t, "POST", collection, w.admin)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"name":"x"}`), broken{}))
	p := handle(w.handler(), r).expect(t, http.StatusBadRequest, "malformed_json").problem(t)
	if !strings.Contains(p.Detail, "ended too early") || w.contents() != before {
		t.Errorf("got %+v", p)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("unexpected EOF of secret stuff") }

func TestBadQueriesAreRefusedAndStoreNothing(t *testing.T) {
	w := settledScene(t)
	before := w.contents()
	made, _ := w.client(w.admin).List(t.Context(), httpapi.ListQuery{})
	history := collection + made.Entries[0].ID + "/events"
	for _, c := range []struct{ path, code, names string }{
		{collection + "?limit=0", "invalid_parameter", "limit"},
		{collection + "?limit=-1", "invalid_parameter", "limit"},
		{collection + "?limit=ten", "invalid_parameter", "limit"},
		{collection + "?limit=%2B1", "invalid_parameter", "limit"},
		{collection + "?limit=1.0", "invalid_parameter", "limit"},
		{collection + "?limit=", "invalid_parameter", "limit"},
		{collection + "?limit=1&limit=2", "invalid_parameter", "limit"},
		{collection + "?after=garbage", "invalid_parameter", "after"},
		{collection + "?after=", "invalid_parameter", "after"},
		{collection + "?after=%00", "invalid_parameter", "after"},
		{collection + "?state=sleeping", "invalid_parameter", "state"},
		{collection + "?state=active,", "invalid_parameter", "state"},
		{collection + "?state=active&state=", "invalid_parameter", "state"},
		{collection + "?state=&state=", "invalid_parameter", "state"},
		{collection + "?state=active&state=sleeping", "invalid_parameter", "state"},
		{collection + "?user=ann&user=ann", "invalid_parameter", "user"},
		{collection + "?user=", "invalid_parameter", "user"},
		{collection + "?user=alice?limit=1", "invalid_parameter", "second question mark"},
		{collection + "?user=gid%3A100", "invalid_field", "group"},
		{collection + "?usr=ann", "invalid_parameter", "usr"},
		{collection + "?user=%zz", "invalid_parameter", "well-formed"},
		{collection + "?user=ann;limit=1", "invalid_parameter", "well-formed"},
		{history + "?after=x", "invalid_parameter", "after"},
		{history + "?after=-1", "invalid_parameter", "after"},
		{history + "?limit=0", "invalid_parameter", "limit"},
		{history + "?state=active", "invalid_parameter", "state"},
		{"/v1/users/gid:7/events", "invalid_field", "group"},
		{collection + made.Entries[0].ID + "?fields=id", "invalid_parameter", "fields is unknown; allowed: state, at"},
		{collection + made.Entries[0].ID + "?state=ended", "invalid_parameter", "state"},
		{collection + "self?fields=id", "invalid_parameter", "fields is unknown; allowed: at"},
		{collection + "?creator=gid%3A100", "invalid_field", "group"},
		{collection + "?creator=", "invalid_parameter", "creator"},
		{collection + "?expires_before=tomorrow", "invalid_parameter", "expires_before"},
		{collection + "?expires_before=2030-01-20T00:00:00+01:00", "invalid_parameter", "write the + of an offset as %2B"},
		{collection + "?expires_before=1767225600", "invalid_parameter", "not a count of seconds"},
		{collection + "?unused_since=2030-01-20", "invalid_parameter", "unused_since"},
		{collection + "?unused_since=2016-12-31T23:59:60Z", "invalid_parameter", "leap second"},
		{collection + "?never_expires=yes", "invalid_parameter", "must be true or false"},
		{collection + "?never_expires=True", "invalid_parameter", "never_expires"},
		{collection + made.Entries[0].ID + "?at=yesterday", "invalid_parameter", "at"},
		{collection + made.Entries[0].ID + "?at=", "invalid_parameter", "at"},
		{collection + "self?at=2026-11-21T20:59:57+01:00", "invalid_parameter", "%2B"},
		{collection + "self?state=active", "invalid_parameter", "state"},
		{"/v1/session/who-am-i?user=ann", "invalid_parameter", "user"},
	} {
		p := w.do("GET", c.path, w.admin, "").expect(t, http.StatusBadRequest, c.code).problem(t)
		if !strings.Contains(p.Detail, c.names) {
			t.Errorf("%s: got %q, want a detail that names %s", c.path, p.Detail, c.names)
		}
	}
	w.do("DELETE", collection+made.Entries[0].ID+"?dry_run=true", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("POST", collection+"?user=ann", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("POST", "/v1/auth/authorize?action=x", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("GET", "/healthz?t=1", "", "").expect(t, http.StatusOK, "")
	if w.contents() != before {
		t.Error("the store has changed")
	}
}

// TestTokenInThePathIsRefused: the answer says what to do, without the token. It
// is the same with and without a credential, and on every path.
func TestTokenInThePathIsRefused(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{User: named("ann")})
	dot := strings.Replace(text, ".", "%2e", 1)
	for _, path := range []string{
		collection + text, collection + text + "/", collection + text + "/events", collection + text + "/rotate", collection + "acme_" + text,
		collection + dot, collection + strings.Replace(text, ".", "%2E", 1), collection + strings.Replace(text, ".", "%252E", 1),
		collection + "%22" + text + "%22", collection + text + "?state=revoked", collection + "self/" + text, collection + "/" + text,
		"/v1/users/" + text + "/events", "/v1/users/auth_id:" + dot + "/events/", "/v1/" + text, "/" + text, "//" + text, "/v1/%2e%2e/" + text,
		"/healthz/" + text, collection + "%2F" + dot,
	} {
		for _, method := range []string{"GET", "DELETE", "POST", "HEAD", "OPTIONS"} {
			for _, token := range []string{w.admin, "", "garbage"} {
				s := handle(w.handler(), request(t, method, "http://localhost"+path, token))
				if s.status != http.StatusBadRequest || method != "HEAD" && s.problem(t).Code != "token_in_path" {
					t.Errorf("%s %s: got %d %s, want 400 token_in_path", method, path, s.status, s.body)
				}
				if method != "HEAD" && (s.problem(t).Instance != "" || !strings.Contains(s.problem(t).Detail, "8 characters before the dot")) {
					t.Errorf("%s %s: got %s, want the advice and no instance", method, path, s.body)
				}
				if strings.Contains(string(s.body)+fmt.Sprint(s.header)+w.log.String(), text[9:]) {
					t.Fatalf("%s %s: the answer or the log has the secret: %s", method, path, w.log)
				}
			}
		}
	}
	for _, path := range []string{collection + text[:8], collection + text[:40], collection + text[9:], collection + text[:39] + "0", "/v1/users/ann.smith/events"} {
		s := handle(w.handler(), request(t, "GET", "http://localhost"+path, w.admin))
		if strings.Contains(string(s.body), "token_in_path") {
			t.Errorf("%s: got %s, but the path has no whole token", path, s.body)
		}
	}
}

// TestRefusalsNeverRepeatAToken sends a whole token in each part of a request
// that may contain text.
func TestRefusalsNeverRepeatAToken(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	secretPart := text[len(made.ID)+1:]
	for _, c := range []struct{ method, path, body string }{
		{"GET", collection + text, ""},
		{"DELETE", collection + text, ""},
		{"GET", collection + text + "/events", ""},
		{"GET", "/v1/users/" + text + "/events", ""},
		{"GET", "/" + text, ""},
		{"PUT", collection + text, ""},
		{"GET", "//" + text, ""},
		{"GET", collection + "?token=" + text, ""},
		{"GET", collection + "?" + text + "=1", ""},
		{"GET", collection + "?after=" + text, ""},
		{"GET", collection + "?state=" + text, ""},
		{"GET", collection + "?limit=" + text, ""},
		{"POST", collection, `{"` + text + `":1}`},
		{"POST", collection, `{"` + secretPart + `":1}`},
		{"POST", collection, `{"user":{"` + text + `":1}}`},
		{"POST", collection, `{"user":{"sid":"` + text + `"}}`},
		{"POST", collection, `{"user":{"domain":"` + text + `"}}`},
		{"POST", collection, `{"expires_in":"` + text + `"}`},
		{"POST", collection, `{"expiration_time":"` + text + `"}`},
		{"POST", collection, `{"scopes":["` + text + `"]}`},
		{"POST", collection, `{"source_ips":["` + text + `"]}`},
		{"POST", collection, text},
		{"POST", collection, `{"user":{"name":"` + text + `"}}`},
		{"POST", collection, `{"name":"` + text + `"}`},
		{"POST", collection, `{"description":"` + text + `"}`},
		{"POST", collection, `{"user":{"auth_id":"` + text + `"}}`},
		{"POST", collection, `{"name":"my ` + text + `"}`},
		{"POST", collection, `{"scopes":["GET /` + text + `"]}`},
		{"GET", "/v1/users/auth_id:" + text + "/events", ""},
		{"GET", collection + "?user=x" + text, ""},
		{"GET", collection + "?user=auth_id:" + text, ""},
		{"POST", "/v1/auth/authorize", `{"token":"x","action":"` + text + `"}`},
		{"POST", "/v1/auth/authorize", `{"token":"x","source_ip":"` + text + `"}`},
	} {
		r := request(t, c.method, "/", w.admin)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(c.path, "?")
		r.RequestURI = c.path
		r.Body = io.NopCloser(strings.NewReader(c.body))
		s := handle(w.handler(), r)
		if s.status == http.StatusOK || strings.Contains(string(s.body), secretPart) || strings.Contains(fmt.Sprint(s.header), secretPart) {
			t.Errorf("%s %s %s: got %d %s, want a refusal without the token", c.method, c.path, c.body, s.status, s.body)
		}
	}
	if strings.Contains(w.log.String(), secretPart) {
		t.Errorf("the log contains the token:\n%s", w.log)
	}
	if lines := strings.Count(w.log.String(), "\n"); lines < 33 {
		t.Errorf("got %d log lines, want one for each request", lines)
	}
}

func TestTimesHaveSixDigitsOfASecond(t *testing.T) {
	at := httpapi.Time{Time: time.Date(2030, 1, 2, 3, 4, 5, 6999, time.FixedZone("", 3600))}
	b, err := at.MarshalJSON()
	if err != nil || string(b) != `"2030-01-02T02:04:05.000006Z"` {
		t.Errorf("got %s, %v", b, err)
	}
	var back httpapi.Time
	if err := back.UnmarshalJSON(b); err != nil || !back.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("got %v, %v back", back, err)
	}
}
