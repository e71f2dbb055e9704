package serve

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
	"apitoken/infra/eventfile"
)

var update = flag.Bool("update", false, "write the golden file again")

// running is a server of this process, with the addresses that it printed.
type running struct {
	*testing.T
	api, proxies, metrics string
	dir                   string
	log                   *lockedLog
	stop                  func()
}

// startWith runs a server on free ports, and ends it at the end of the test at the latest.
func startWith(t *testing.T, dir string, c Config) *running {
	t.Helper()
	r := &running{T: t, dir: dir, log: &lockedLog{}}
	out, ended := &lockedLog{}, make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c.Listen, c.ForwardListen, c.MetricsListen, c.Data, c.EventsPart = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", dir, eventfile.DefaultPart
	c.Version, c.Out, c.Logger = "1.2.3", out, slog.New(slog.NewTextHandler(r.log, nil))
	go func() { ended <- Run(ctx, c) }()
	var once bool
	r.stop = func() {
		cancel()
		if !once {
			once = true
			if err := <-ended; err != nil {
				t.Log("the server ended with", err)
			}
		}
	}
	t.Cleanup(r.stop)
	printed := func(before string) string {
		form := regexp.MustCompile(`(?m)^` + before + ` (http://\S+)$`)
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if m := form.FindStringSubmatch(out.String()); m != nil {
				return m[1]
			}
		}
		t.Fatalf("no line %q: %s%s", before, out, r.log)
		return ""
	}
	r.api, r.proxies, r.metrics = printed("listening on"), printed("reverse proxies ask at"), printed("metrics and health are at")
	return r
}

// get returns the status and the body of an answer.
func (r *running) get(url, token string) (int, string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// expect checks one answer, and that its body has the text.
func (r *running) expect(url string, status int, text string) {
	r.Helper()
	if got, body := r.get(url, ""); got != status || !strings.Contains(body, text) {
		r.Errorf("%s: got %d %q, want %d with %q", url, got, body, status, text)
	}
}

// post sends a request as the administrator.
func (r *running) post(path, body string, status int) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.api+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token())
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != status {
		r.Errorf("%s: got %d, want %d", path, answer.StatusCode, status)
	}
}

// await waits until the metrics have the line.
func (r *running) await(line string) {
	r.Helper()
	var text string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, text = r.get(r.metrics+"/metrics", ""); strings.Contains(text, "\n"+line+"\n") {
			return
		}
	}
	r.Errorf("there is no line %q:\n%s", line, text)
}

func (r *running) token() string {
	r.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "admin.token"))
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

var (
	values    = regexp.MustCompile(`(?m) [0-9.e+-]+$`)
	goVersion = regexp.MustCompile(`goversion="[^"]*"`)
)

// TestNamesAndLabelsOfTheMetrics: they are what dashboards and alarms depend on. Nothing
// else moves them, and the API answers none of the paths.
func TestNamesAndLabelsOfTheMetrics(t *testing.T) {
	r := startWith(t, filepath.Join(t.TempDir(), "data"), Config{})
	r.get(r.api+"/v1/session/who-am-i", r.token())
	r.get(r.proxies+"/v1/auth/forward/nginx", r.token())
	r.get(r.api+"/evil%22%0A?token=evil", "evil")
	status, text := r.get(r.metrics+"/metrics", "")
	if status != 200 {
		t.Errorf("got the status %d", status)
	}
	got := goVersion.ReplaceAllString(values.ReplaceAllString(text, " N"), `goversion="GO"`)
	const golden = "testdata/metrics.txt"
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o777), os.WriteFile(golden, []byte(got), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got {
		t.Errorf("%v: the metrics differ from %s (-update writes it again):\n%s", err, golden, got)
	}
	for _, line := range []string{`apitoken_ready 1`, `apitoken_verdicts_total{code="ok"} 1`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %q:\n%s", line, text)
		}
	}
	r.await("apitoken_published_total 2") // the events of the first administrator
	r.expect(r.metrics+"/healthz", 200, `{"status":"ok"}`)
	r.expect(r.metrics+"/readyz", 200, `{"status":"ok"}`)
	r.expect(r.metrics+"/v1/version", 404, "")
	for _, path := range []string{"/metrics", "/readyz"} {
		r.expect(r.api+path, 404, "path_not_found")
		r.expect(r.proxies+path, 404, "path_not_found")
	}
}

// TestTheLoopsAndTheStoreAreCounted in the server as it runs. Its loops repeat soon: a
// first sweep may come before the first look at the metrics, and an age then only grows
// until the second sweep.
func TestTheLoopsAndTheStoreAreCounted(t *testing.T) {
	r := startWith(t, filepath.Join(t.TempDir(), "data"), Config{sweepEvery: 500 * time.Millisecond, collectEvery: 500 * time.Millisecond})
	r.await("apitoken_commits_total 2") // of the first administrator
	r.post("/v1/auth/authorize", `{"token":"`+r.token()+`"}`, 200)
	r.await(`apitoken_introspections_total{code="ok"} 1`)
	for _, name := range []string{"apitoken_sweep_age_seconds", "apitoken_collection_age_seconds"} {
		age := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`)
		for last, deadline := 0.0, time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			_, text := r.get(r.metrics+"/metrics", "")
			now, err := strconv.ParseFloat(age.FindStringSubmatch(text)[1], 64)
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("%s only grows, to %v: %v", name, now, err)
			}
			if now < last {
				break
			}
			last = now
		}
	}
}

// TestDamagedDataIsCounted: an attacker who may write the file has changed a head.
func TestDamagedDataIsCounted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	startWith(t, dir, Config{}).stop()
	t.Run("attack", func(t *testing.T) {
		a := bolttest.OpenAttacked(t, filepath.Join(dir, "apitoken.db"), bolt.Options{})
		a.SetHeadVersion(t, events.UserStream("admin"), 0)
	})
	r := startWith(t, dir, Config{})
	r.post("/v1/auth/access-tokens/", `{}`, 500)
	r.await("apitoken_damaged_total 1")
	r.await("apitoken_faults_total 1")
}

// TestAServiceWithoutItsEventFileIsNotReady, and it is alive. The event file comes back.
func TestAServiceWithoutItsEventFileIsNotReady(t *testing.T) {
	r := startWith(t, filepath.Join(t.TempDir(), "data"), Config{readyEvery: time.Millisecond})
	path := filepath.Join(r.dir, "events.jsonl")
	r.expect(r.metrics+"/readyz", 200, "ok")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	r.expect(r.metrics+"/readyz", 503, "opening the event file for writing")
	r.expect(r.metrics+"/healthz", 200, "ok")
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	r.expect(r.metrics+"/readyz", 200, "ok")
	r.stop()
	log := r.log.String()
	if strings.Count(log, "the service is not ready") != 1 || strings.Count(log, "the service is ready again") != 1 || strings.Contains(log, "/readyz") {
		t.Errorf("the log is %s", log)
	}
}

// TestNoMetricsByDefault: nothing listens, and nothing is counted.
func TestNoMetricsByDefault(t *testing.T) {
	for _, address := range []string{"", nowhere} {
		w, err := listenMetrics(Config{MetricsListen: address})
		if w != nil || err != nil {
			t.Errorf("%q: got %v, %v", address, w, err)
		}
		if c := w.count(Config{Logger: slog.Default()}); c.metrics != nil || c.Logger != slog.Default() || w.servers(c, nil) != nil {
			t.Errorf("%q: it counts", address)
		}
		w.announce(Config{})
		w.close()
	}
}

// TestTheErrorsOfMetricsListenNameTheFlag and what to do.
func TestTheErrorsOfMetricsListenNameTheFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for address, want := range map[string]string{
		l.Addr().String():        l.Addr().String() + " is in use by another process: stop that process, or choose another address with --metrics-listen; --metrics-listen none switches",
		"9464":                   "--metrics-listen is invalid",
		"unix:":                  "--metrics-listen is invalid",
		"unix:/no/such/folder/s": "choose another path with --metrics-listen",
	} {
		dir := filepath.Join(t.TempDir(), "data")
		err := Run(t.Context(), Config{Listen: "127.0.0.1:0", MetricsListen: address, Data: dir, Out: io.Discard, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: there is a data folder", address)
		}
	}
}
