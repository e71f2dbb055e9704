package httpapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const someKey = "8e03978e-40d5-43e8-bc93-6894a57f9324"

// createWith sends a create with these values of Idempotency-Key.
func (w *scene) createWith(token, body string, keys ...string) answer {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if len(keys) > 0 {
		header["Idempotency-Key"] = keys
	}
	return w.send("POST", collection, header, strings.NewReader(body))
}

// TestARepeatedCreateGetsTheSameAnswer: byte for byte, also in another encoding of
// the request, on the path without a slash, with the quoted form of the key and
// after a restart. The log line names it.
func TestARepeatedCreateGetsTheSameAnswer(t *testing.T) {
	w := newScene(t)
	body := `{"user":{"name":"ann"},"name":"n","expires_in":"1D","scopes":["GET /a"],"source_ips":["10.0.0.0/8"]}`
	first := w.createWith(w.admin, body, someKey).expect(t, 200, "")
	if _, marked := first.header["Idempotent-Replayed"]; marked {
		t.Error("the first answer is marked as replayed")
	}
	repeats := map[string]answer{
		"the same":            w.createWith(w.admin, body, someKey),
		"the quoted key":      w.createWith(w.admin, body, `"`+someKey+`"`),
		"blanks and order":    w.createWith(w.admin, ` {"scopes" : ["GET \/a"], "source_ips":["10.0.0.0/8"], "name":"n", "description":"", "expires_in":"1D", "user":{"name":"ann","uid":null}}`, someKey),
		"another user's form": w.createWith(w.admin, strings.Replace(body, `{"name":"ann"}`, `{"domain":"LOCAL","name":"ann"}`, 1), someKey),
	}
	header := http.Header{"Authorization": {"Bearer " + w.admin}, "Idempotency-Key": {someKey}}
	repeats["no slash"] = w.send("POST", strings.TrimSuffix(collection, "/"), header, strings.NewReader(body))
	w.server.Config.Handler = w.handler()
	repeats["another handler"] = w.createWith(w.admin, body, someKey)
	for name, a := range repeats {
		a.expect(t, 200, "")
		if !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %v %s, want the first answer %s", name, a.header, a.body, first.body)
		}
	}
	if line := w.log.Last(t); line["code"] != "replayed" {
		t.Errorf("the log line has the code %v, want replayed", line["code"])
	}
	made := decodeAs[httpapi.Created](t, first)
	shown := made.BearerToken.Reveal()
	w.server.Close()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{shown, strings.SplitN(shown, ".", 2)[1], someKey} {
		if bytes.Contains(stored, []byte(part)) || strings.Contains(w.log.String(), part) {
			t.Errorf("the store or the log has %q", part)
		}
	}
}

// TestTheKeyHelpsOnlyItsToken: another token of the same user that learns the key
// makes a new token. Without a key each request makes one.
func TestTheKeyHelpsOnlyItsToken(t *testing.T) {
	w := newScene(t)
	first := decodeAs[httpapi.Created](t, w.createWith(w.admin, `{}`, someKey).expect(t, 200, ""))
	for _, a := range []answer{w.createWith(first.BearerToken.Reveal(), `{}`, someKey), w.createWith(w.admin, `{}`)} {
		made := decodeAs[httpapi.Created](t, a.expect(t, 200, ""))
		if made.ID == first.ID || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("another request got token %s, replayed %q", made.ID, a.header.Get("Idempotent-Replayed"))
		}
	}
	w.createWith(w.admin, `{"name":"x"}`, someKey).expect(t, 422, "idempotency_key_reused")
	if err := w.client(w.admin).Revoke(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	w.createWith(w.admin, `{}`, someKey).expect(t, 409, "token_ended")
	w.createWith("nonsense", `{}`, someKey).expect(t, 401, "token_malformed")
}

// TestABadKeyIsRefusedWithWhatIsAllowed: and writes nothing.
func TestABadKeyIsRefusedWithWhatIsAllowed(t *testing.T) {
	w := newScene(t)
	long := strings.Repeat("k", 255)
	for _, c := range []struct {
		keys []string
		says string // "": the key is allowed
	}{
		{[]string{long}, ""},
		{[]string{long[:16]}, ""},
		{[]string{`"` + long[:254] + `x"`}, ""},
		{[]string{`"!#$%&'()*+,-./:;<=>?@[\"\\]^_{|}~"`}, ""},
		{[]string{"!#$%&'()*+-./:<=>?@[]^_{|}~"}, ""},
		{[]string{" \t" + long[:20] + " "}, ""},
		{[]string{long + "k"}, "has 256 characters"},
		{[]string{long[:15]}, "has 15 characters"},
		{[]string{`"` + long[:15] + `"`}, "has 15 characters"},
		{[]string{""}, "has 0 characters"},
		{[]string{someKey, someKey}, "is given 2 times"},
		{[]string{someKey + ", " + someKey}, "has a comma"},
		{[]string{`"` + someKey + `", "` + someKey + `"`}, "has text after its closing quote"},
		{[]string{`"` + someKey + `";a=1`}, "has text after its closing quote"},
		{[]string{`"` + someKey}, "has no closing quote"},
		{[]string{`"`}, "has no closing quote"},
		{[]string{`"` + someKey + `\`}, "has a backslash before"},
		{[]string{`"` + someKey + `\n"`}, "has a backslash before"},
		{[]string{someKey + `"`}, "has a comma, a quote"},
		{[]string{"a key with blanks in it"}, "has a character that is not visible ASCII"},
		{[]string{`"a key with blanks in it"`}, "has a character that is not visible ASCII"},
		{[]string{someKey + "é"}, "has a character that is not visible ASCII"},
	} {
		if c.says == "" {
			w.sleep(time.Hour)
			made := decodeAs[httpapi.Created](t, w.createWith(w.admin, `{}`, c.keys...).expect(t, 200, ""))
			if err := w.client(w.admin).Revoke(t.Context(), made.ID); err != nil {
				t.Fatal(err)
			}
			continue
		}
		before := w.contents()
		p := w.createWith(w.admin, `{}`, c.keys...).expect(t, 400, "invalid_header").problem(t)
		for _, part := range []string{"Idempotency-Key " + c.says, "allowed: ", "16 to 255"} {
			if !strings.Contains(p.Detail, part) {
				t.Errorf("%q: got %q, want %q in it", c.keys, p.Detail, part)
			}
		}
		if len(p.Errors) != 1 || p.Errors[0].Field != "Idempotency-Key" || strings.Contains(p.Detail, someKey) {
			t.Errorf("%q: got %+v, want the field Idempotency-Key and not the key", c.keys, p)
		}
		if w.contents() != before {
			t.Errorf("%q: the refused request changed the store", c.keys)
		}
	}
}

// TestCallsWithoutAKeyIgnoreTheHeader: other calls are safe to repeat.
func TestCallsWithoutAKeyIgnoreTheHeader(t *testing.T) {
	w := newScene(t)
	header := http.Header{"Authorization": {"Bearer " + w.admin}, "Idempotency-Key": {"x", "y"}}
	w.send("GET", collection, header, strings.NewReader("")).expect(t, 200, "")
}

// losingTransport sends requests to a handler and loses the first answers: a
// network fault before the request arrives, or after.
type losingTransport struct {
	handler http.Handler
	losses  []error // one for each try; nil: the answer arrives
	arrives bool    // lost requests reach the service
	keys    []string
}

func (l *losingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	l.keys = append(l.keys, r.Header.Get("Idempotency-Key"))
	var loss error
	if len(l.losses) > 0 {
		loss, l.losses = l.losses[0], l.losses[1:]
	}
	if loss != nil && !l.arrives {
		return nil, loss
	}
	rec := httptest.NewRecorder()
	l.handler.ServeHTTP(rec, r)
	return rec.Result(), loss
}

// TestTheClientRepeatsACreateWithItsKey: one command makes one token, whatever is
// lost. Another command has another key.
func TestTheClientRepeatsACreateWithItsKey(t *testing.T) {
	for name, arrives := range map[string]bool{"the request is lost": false, "the answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t)
			l := &losingTransport{handler: w.handler(), losses: []error{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF}, arrives: arrives}
			c := httpapi.NewClient("http://service", secret.New(w.admin), &http.Client{Transport: l})
			httpapi.SetRetryWait(c, time.Millisecond)
			for range 2 {
				if _, err := c.Create(t.Context(), httpapi.CreateRequest{}); err != nil {
					t.Fatal(err)
				}
			}
			if k := l.keys; len(k) != 4 || k[0] != k[1] || k[1] != k[2] || k[2] == k[3] || len(k[0]) < 16 {
				t.Errorf("got the keys %q, want one for three tries and another one", k)
			}
			page, err := w.client(w.admin).List(t.Context(), httpapi.ListQuery{User: "admin"})
			if err != nil || len(page.Entries) != 3 { // with the administrator's own
				t.Errorf("got %d tokens, %v, want 3", len(page.Entries), err)
			}
		})
	}
}

// TestTheClientDoesNotHideAnUnknownOutcome: the error of the last try is returned
// only if no earlier request can have arrived.
func TestTheClientDoesNotHideAnUnknownOutcome(t *testing.T) {
	outage := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	refusal := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"status":429,"code":"change_rate_exceeded","retryable":true}`)
	})
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for name, c := range map[string]struct {
		handler http.Handler
		losses  []error
		tries   int
		want    error // nil: a Problem
	}{
		"refused":                  {outage, []error{syscall.ECONNREFUSED}, 1, syscall.ECONNREFUSED},
		"not trusted":              {outage, []error{untrusted}, 1, untrusted},
		"lost, then not trusted":   {outage, []error{io.ErrUnexpectedEOF, untrusted, untrusted}, 3, io.ErrUnexpectedEOF},
		"lost, then refused":       {outage, []error{io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNREFUSED}, 3, io.ErrUnexpectedEOF},
		"each lost":                {outage, []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET}, 3, io.EOF},
		"an outage":                {outage, nil, 3, nil},
		"an answer that says no":   {refusal, nil, 1, nil},
		"lost, then a refusal":     {refusal, []error{io.ErrUnexpectedEOF}, 2, nil},
		"the caller does not wait": {outage, []error{context.Canceled}, 1, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if errors.Is(c.want, context.Canceled) {
				cancel()
			}
			l := &losingTransport{handler: c.handler, losses: c.losses}
			_, err := httpapi.NewClient("http://service", secret.Secret{}, &http.Client{Transport: l}).Create(ctx, httpapi.CreateRequest{})
			_, isProblem := errors.AsType[*httpapi.Problem](err)
			if len(l.keys) != c.tries || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !isProblem {
				t.Errorf("%s: got %v after %d tries, want %v after %d", name, err, len(l.keys), c.want, c.tries)
			}
			if c.want != syscall.ECONNREFUSED && errors.Is(err, syscall.ECONNREFUSED) || c.want != untrusted && errors.Is(err, untrusted) {
				t.Errorf("%s: got %v, which looks as if nothing was sent", name, err)
			}
		})
	}
}

// FuzzIdempotencyKey: a key that is read has visible characters only, and is the
// same key when it is quoted.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", someKey, `"` + someKey + `"`, `"a\"b\\c"`, `"a`, `a,b`, `"a";b`, `"\`, "\x00", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, problem := httpapi.ParseKey(text)
		if problem != "" {
			return
		}
		if strings.Trim(key, visible) != "" {
			t.Errorf("%q is read as %q, which has other than visible characters", text, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, problem := httpapi.ParseKey(quoted); again != key || problem != "" {
			t.Errorf("%q is read as %q, and %q as %q, %s", text, key, quoted, again, problem)
		}
	})
}

// visible has all visible ASCII characters.
var visible = func() string {
	var b strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}()
