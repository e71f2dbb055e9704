package engines_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"apitoken/localstack/engines"
)

// recorder replaces the test that a helper gets, and records how it ends.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs f like a test and returns how it ended.
func record(t *testing.T, f func(t testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

func TestRequireSkipsOrFailsWithoutTheEngine(t *testing.T) {
	for name, row := range map[string]struct{ url, required, want, skipped, failed string }{
		"the engine is there":             {url: "http://127.0.0.1:8021", want: "http://127.0.0.1:8021"},
		"its URL ends with a slash":       {url: "http://127.0.0.1:8021/", required: "1", want: "http://127.0.0.1:8021"},
		"it is missing":                   {skipped: "SKIPPED: needs the engine dynamodb, with its URL or folder in APITOKEN_DYNAMODB"},
		"it is missing, but required":     {required: "1", failed: "APITOKEN_DYNAMODB is not set"},
		"it is missing, and not required": {required: "0", skipped: "SKIPPED: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("APITOKEN_DYNAMODB", row.url)
			t.Setenv("APITOKEN_ENGINES_REQUIRED", row.required)
			t.Setenv("CI", "true") // plain tests run in CI too, without engines
			var got string
			r := record(t, func(t testing.TB) { got = engines.Require(t, engines.DynamoDB) })
			if got != row.want || !hasPrefix(r.skipped, row.skipped) || !hasPrefix(r.failed, row.failed) {
				t.Errorf("got %q, skipped %q, failed %q, want %+v", got, r.skipped, r.failed, row)
			}
		})
	}
}

func TestToolSkipsOrFailsWithoutTheTool(t *testing.T) {
	for name, row := range map[string]struct{ path, required, skipped, failed string }{
		"the tool is there":           {path: "/bin/qq", required: "1"},
		"it is missing":               {skipped: "SKIPPED: needs the tool qq, with its path in APITOKEN_QQ"},
		"it is missing, but required": {required: "1", failed: "APITOKEN_QQ is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("APITOKEN_QQ", row.path)
			t.Setenv("APITOKEN_ENGINES_REQUIRED", row.required)
			var got string
			r := record(t, func(t testing.TB) { got = engines.Tool(t, "qq") })
			if got != row.path || !hasPrefix(r.skipped, row.skipped) || !hasPrefix(r.failed, row.failed) {
				t.Errorf("got %q, skipped %q, failed %q, want %+v", got, r.skipped, r.failed, row)
			}
		})
	}
}

// TestThePythonOfAToolHasItsPackages: the versions are the published ones, and both
// the tool and the Python beside it run.
func TestThePythonOfAToolHasItsPackages(t *testing.T) {
	for tool, row := range map[string]struct{ imported, distribution, version string }{
		engines.QQ:     {"qumulo.rest_client", "qumulo_api", "7.10.2.1"},
		engines.Vastpy: {"vastpy", "vastpy", "0.3.22"},
	} {
		t.Run(tool, func(t *testing.T) {
			script := fmt.Sprintf("import %s, importlib.metadata as m; print(m.version(%q))", row.imported, row.distribution)
			for _, command := range [][]string{{engines.Python(t, tool), "-c", script}, {engines.Tool(t, tool), "--help"}} {
				out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
				if err != nil || len(command) == 3 && string(out) != row.version+"\n" {
					t.Errorf("%q: got %v, %s, want %s", command, err, out, row.version)
				}
			}
		})
	}
}

// hasPrefix reports whether text starts with a prefix, or is empty like it.
func hasPrefix(text, prefix string) bool {
	return strings.HasPrefix(text, prefix) && (text == "") == (prefix == "")
}

func TestEventuallyEndsWithTheLastState(t *testing.T) {
	n := 0
	r := record(t, func(t testing.TB) {
		engines.Eventually(t, time.Minute, "n is 2", func() string {
			if n++; n < 2 {
				return "too small"
			}
			return ""
		})
	})
	if r.failed != "" || n != 2 {
		t.Errorf("got %q after %d calls, want success after 2", r.failed, n)
	}
	r = record(t, func(t testing.TB) {
		engines.Eventually(t, 0, "it is there", func() string { return "not yet" })
	})
	if r.failed != "waited 0s until it is there: not yet" {
		t.Errorf("got %q", r.failed)
	}
}

// MustCall must not ignore a refusal, or a test of permissions would show nothing.
func TestMustCallFailsOnAnyRefusal(t *testing.T) {
	for _, status := range []int{200, 299, 300, 400, 403, 500} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(map[string]string{
				"target": r.Header.Get("X-Amz-Target"), "type": r.Header.Get("Content-Type"), "authorization": r.Header.Get("Authorization"),
			})
		}))
		defer server.Close()
		t.Setenv("APITOKEN_MINISTACK", server.URL)
		var got map[string]string
		r := record(t, func(t testing.TB) {
			engines.Connect(t, engines.MiniStack).MustCall(t, "kms", "TrentService.Decrypt", map[string]string{}, &got)
		})
		if ok := status < 300; ok != (r.failed == "") {
			t.Errorf("status %d: failed %q", status, r.failed)
			continue
		} else if !ok {
			continue
		}
		if got["target"] != "TrentService.Decrypt" || got["type"] != "application/x-amz-json-1.1" || !strings.Contains(got["authorization"], "Credential=test/") || !strings.Contains(got["authorization"], "/us-east-1/kms/aws4_request") {
			t.Errorf("the engine got %v", got)
		}
	}
}
