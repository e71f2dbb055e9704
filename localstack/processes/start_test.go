package processes

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/infra/dynamo/probe"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// refusedStart runs serve, which must end by itself, and returns what it wrote.
func refusedStart(t *testing.T, b *drive.Table, environment []string, args ...string) string {
	t.Helper()
	c := b.Command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	c.Env = append(c.Env, environment...)
	end := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer end.Stop()
	out, err := c.CombinedOutput()
	text := string(out)
	if err == nil || strings.Contains(text, "listening on") {
		t.Errorf("the start was not refused: %v\n%s", err, text)
	}
	if strings.Contains(text, "QUJD") || strings.Contains(text, "REVG") {
		t.Errorf("the error has a pepper: %s", text)
	}
	return text
}

func expectText(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant %s", got, want)
	}
}

// TestAStartThatCannotWorkIsRefused before the address is open.
func TestAStartThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	b := drive.NewTable(t)
	bus := newBus(t, "a", &arrivals{})
	for _, row := range []struct {
		name        string
		environment []string
		args        []string
		want        string
	}{
		{"another pepper of the same name", []string{"PEPPERS=k1:" + strings.Repeat("REVG", 11)}, []string{"--table", b.Name}, "apitoken: PEPPERS did not seal table " + b.Name + ", or another program changed the table ("},
		{"a pepper of another name", []string{"PEPPERS=k9:" + strings.Repeat("QUJD", 11)}, []string{"--table", b.Name}, "set PEPPERS to the peppers of this deployment"},
		{"no such table", nil, []string{"--table", "none"}, "apitoken: there is no table none in us-east-1: apitoken table create none makes one"},
		{"no such bus", bus.environment(), []string{"--table", b.Name, "--bus", "other"}, "apitoken: --bus: event bus other: the event bus does not exist: give the name or the ARN of a bus of this account and region"},
		{"no region", []string{"AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_CONFIG_FILE=/dev/null"}, []string{"--table", b.Name}, "apitoken: the AWS region is not set: set AWS_REGION to the region of the table"},
	} {
		t.Run(row.name, func(t *testing.T) { expectText(t, refusedStart(t, b, row.environment, row.args...), row.want) })
	}
}

func TestATableWithoutAnAdministratorIsRefused(t *testing.T) {
	t.Parallel()
	b := drive.NewEmptyTable(t)
	expectText(t, refusedStart(t, b, nil, "--table", b.Name), "apitoken: table "+b.Name+" has no administrator yet: run apitoken bootstrap --table "+b.Name+" once, with the same PEPPERS")
}

// TestAServiceWithoutTransactionsIsNamed: DynamoDB Local behind a proxy that does not
// know them.
func TestAServiceWithoutTransactionsIsNamed(t *testing.T) {
	t.Parallel()
	b := drive.NewTable(t)
	engine, err := url.Parse(engines.Require(t, engines.DynamoDB))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(engine)
	lacking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(lacking.Close)
	address, want := "AWS_ENDPOINT_URL_DYNAMODB="+lacking.URL, "lacks "+string(probe.Transactions)+", which apitoken needs"
	expectText(t, refusedStart(t, b, []string{address}, "--table", b.Name), want)
	bootstrap := b.Command("bootstrap", "--table", b.Name, "--out", filepath.Join(t.TempDir(), "token"))
	bootstrap.Env = append(bootstrap.Env, address)
	out, err := bootstrap.CombinedOutput()
	if err == nil {
		t.Error("bootstrap succeeded without transactions")
	}
	expectText(t, string(out), want)
}

// TestReadinessAndMetrics of processes with and without a bus.
func TestReadinessAndMetrics(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ask := func(p *drive.Service, path string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Printed("metrics and health are at")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := engines.Do(t, http.DefaultClient, r)
		return a.Status, string(a.Body)
	}
	without := s.table.Serve(nil, "--metrics-listen", "127.0.0.1:0")
	const note = `{"status":"ok","detail":"this process has no --bus, so it sends no events: they stay unsent, unless a stack or another process publishes them"}` + "\n"
	if status, body := ask(without, "/readyz"); status != http.StatusOK || body != note {
		t.Errorf("/readyz without a bus: got %d %s", status, body)
	}
	own := newBus(t, "a", &s.arrivals)
	with := s.table.Serve(own.environment(), "--bus", "tokens", "--metrics-listen", "127.0.0.1:0")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := ask(with, path); status != http.StatusOK || body != `{"status":"ok"}`+"\n" {
			t.Errorf("%s with a bus: got %d %s", path, status, body)
		}
	}
	engines.Eventually(t, time.Minute, "the events of the bootstrap arrive", func() string {
		if len(s.list()) < len(s.records()) {
			return with.Log()
		}
		return ""
	})
	var metrics string
	engines.Eventually(t, time.Minute, "the relay has noted the answer of the bus", func() string {
		if _, metrics = ask(with, "/metrics"); !strings.Contains(metrics, "apitoken_lag_seconds 0\n") {
			return metrics
		}
		return ""
	})
	for _, want := range []string{"apitoken_ready 1\n", "apitoken_published_total "} {
		expectText(t, metrics, want)
	}
	for _, local := range []string{"apitoken_store_bytes", "apitoken_collection_age_seconds"} {
		if strings.Contains(metrics, local) {
			t.Errorf("the metrics of a table have %s", local)
		}
	}
	own.set(func(b *bus) { b.down = true })
	if _, err := s.create(s.client(with, s.table.Admin), wishOf("ann")); err != nil {
		t.Error(err)
	}
	engines.Eventually(t, time.Minute, "/readyz says that the bus does not take events", func() string {
		status, body := ask(with, "/readyz")
		if status == http.StatusServiceUnavailable && strings.Contains(body, "the bus does not take events") {
			return ""
		}
		return body
	})
	if status, body := ask(with, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz while the bus is down: got %d %s", status, body)
	}
}
