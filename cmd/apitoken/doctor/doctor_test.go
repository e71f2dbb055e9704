package doctor

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
)

// fake is a server in the place of the service. It notes whether a token came.
type fake struct {
	skew      time.Duration // of its clock
	noDate    bool
	version   string // the answer about the version
	status    int    // of the answer about the version; 0: 200
	hang      bool   // whether the answers about the token never come
	gotTokens int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		f.gotTokens++
	}
	w.Header().Set("Date", time.Now().Add(f.skew).UTC().Format(http.TimeFormat))
	if f.noDate {
		w.Header()["Date"] = nil
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/v1/version" && f.status != 0:
		w.WriteHeader(f.status)
		io.WriteString(w, f.version)
	case r.URL.Path == "/v1/version":
		io.WriteString(w, f.version)
	case f.hang:
		<-r.Context().Done()
	case strings.HasSuffix(r.URL.Path, "/self"):
		io.WriteString(w, `{"user": {"name": "ann\u001b[31m"}, "expiration_time": "", "scopes": [], "source_ips": []}`)
	default:
		io.WriteString(w, `{"id": "ann", "name": "ann", "permissions": []}`)
	}
}

// examine runs the command on the fake, and returns its output and exit code.
func (f *fake) examine(t *testing.T) (out string, code int) {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	e := &console.Env{Out: &stdout, Err: &stderr, Getenv: func(name string) string {
		return map[string]string{"APITOKEN_URL": server.URL, "APITOKEN_TOKEN": secret.Mint("").Text().Reveal()}[name]
	}}
	code = console.Run(t.Context(), e, New(e), nil)
	if console.WholeToken.MatchString(stdout.String() + stderr.String()) {
		t.Errorf("the output has a token: %s", stdout.String())
	}
	return stdout.String(), code
}

const someVersion = `{"version": "1"}`

func TestTheClocksAreCompared(t *testing.T) {
	for _, c := range []struct {
		skew time.Duration
		want string
		code int
	}{
		{0, "ok       clock ", 0},
		{3 * time.Second, "ok       clock ", 0},
		{-60 * time.Second, "warning  clock        this machine and the service differ by 1m", 0},
		{60 * time.Second, "warning  clock ", 0},
		{time.Hour, "problem  clock ", 1},
		{-time.Hour, "AWS refuses signed requests", 1},
	} {
		out, code := (&fake{skew: c.skew, version: someVersion}).examine(t)
		if !strings.Contains(out, c.want) || code != c.code {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", c.skew, code, c.code, c.want, out)
		}
	}
	if out, code := (&fake{noDate: true, version: someVersion}).examine(t); !strings.Contains(out, "warning  clock ") || code != 0 {
		t.Errorf("no date: exit code %d\n%s", code, out)
	}
}

// TestAnotherServiceGetsNoToken: the token of an administrator must not go to what
// listens at a wrong port.
func TestAnotherServiceGetsNoToken(t *testing.T) {
	for _, f := range []*fake{{version: `{}`}, {version: `<html>`}, {version: `{"version": 7}`}, {status: 404}, {status: 302}, {status: 500, version: someVersion}} {
		out, code := f.examine(t)
		if code != 1 || !strings.Contains(out, "problem  service ") || !strings.Contains(out, "not this service") || !strings.Contains(out, "next: check the address and the port") {
			t.Errorf("%+v: exit code %d\n%s", f, code, out)
		}
		if f.gotTokens != 0 {
			t.Errorf("%+v got the token", f)
		}
	}
	known := &fake{version: someVersion}
	if known.examine(t); known.gotTokens == 0 {
		t.Error("the service itself got no token either: the test shows nothing")
	}
}

// TestAServiceWithoutAnswerEndsTheCommand: a person waits for it.
func TestAServiceWithoutAnswerEndsTheCommand(t *testing.T) {
	begin := time.Now()
	out, code := (&fake{version: someVersion, hang: true}).examine(t)
	if code != 1 || !strings.Contains(out, "problem  works        no answer within 5 seconds") || time.Since(begin) > time.Minute {
		t.Errorf("exit code %d after %s\n%s", code, time.Since(begin), out)
	}
}

func TestTextsOfAServiceAreHarmless(t *testing.T) {
	if out, _ := (&fake{version: `{"version": "1\u001b[2J"}`}).examine(t); strings.Contains(out, "\x1b") {
		t.Errorf("the output has a control sequence: %q", out)
	}
}
