package main

import (
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

func readPrices(t *testing.T) (p prices) {
	t.Helper()
	if err := json.Unmarshal(pricesFile, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryPriceHasItsSourceAndUse(t *testing.T) {
	p := readPrices(t)
	all := object(t)
	setting("TokenTable", true, "SSESpecification", "SSEEnabled")(all)
	used := sumOf(monthly(t, all, map[string]string{"Tracing": "Active", "WebAclArn": webACL}), monthly(t, all, map[string]string{"Arch": "x86_64"}))
	for name, price := range p.Prices {
		if !strings.HasPrefix(price.Source, "https://aws.amazon.com/") || !regexp.MustCompile(`^20\d\d-[01]\d$`).MatchString(price.Date) {
			t.Errorf("%s: got %+v, want a page of AWS and the month in which the price was looked up", name, price)
		}
		if (price.PerMillion == 0) == (price.Each == 0) {
			t.Errorf("%s: got %+v, want exactly one price", name, price)
		}
		if used[name] == 0 {
			t.Errorf("nothing uses %s", name)
		}
	}
	if _, err := used.cost(p); err != nil {
		t.Error(err)
	}
}

func TestCostsAddUp(t *testing.T) {
	p := prices{Prices: map[string]price{"a": {PerMillion: 2}, "b": {Each: 0.5}}}
	got, err := sumOf(usage{"a": 500_000}, usage{"b": 3}.times(2)).cost(p)
	if err != nil || math.Abs(got-4) > 1e-9 {
		t.Errorf("got %v, %v, want 4", got, err)
	}
	if _, err := (usage{"c": 1}).cost(p); err == nil {
		t.Error("got no error for an item without a price")
	}
}

// TestNearlyEveryRequestOfAQuietServiceIsTraced: X-Ray records one request in each
// second, whatever the rate is.
func TestNearlyEveryRequestOfAQuietServiceIsTraced(t *testing.T) {
	for _, c := range []struct{ requests, traced float64 }{
		{0, 0}, {10_000, 0.998}, {1_000_000, 0.840}, {10_000_000, 0.294}, {1_000_000_000, 0.0525},
	} {
		got := deployment{traced: true}.traces(c.requests)["xray_trace"]
		if math.Abs(got-c.requests*c.traced) > c.requests*0.0005 {
			t.Errorf("of %g requests: got %g traces, want the part %g", c.requests, got, c.traced)
		}
	}
	if got := (deployment{}).traces(1_000_000)["xray_trace"]; got != 0 {
		t.Errorf("without tracing: got %g traces", got)
	}
}

var update = flag.Bool("update", false, "write what the command prints into infra/sam/README.md")

// TestThePageShowsWhatTheCommandPrints, for each command line in it.
func TestThePageShowsWhatTheCommandPrints(t *testing.T) {
	const path = "../../infra/sam/README.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	shown := regexp.MustCompile("(?m)^\\$ go run ./cmd/cost(.*)\n((?:[^$`\n].*\n)+)").FindAllStringSubmatch(readme, -1)
	if len(shown) < 2 {
		t.Fatalf("infra/sam/README.md shows the command %d times, want it with and without tracing", len(shown))
	}
	for _, s := range shown {
		got := output(t, strings.Fields(s[1]))
		if *update {
			readme = strings.Replace(readme, s[0], strings.TrimSuffix(s[0], s[2])+got, 1)
		} else if got != s[2] {
			t.Errorf("infra/sam/README.md shows for go run ./cmd/cost%s\n%s\nthe command prints\n%s", s[1], s[2], got)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func output(t *testing.T, args []string) string {
	t.Helper()
	q, flags := newQuestion("cost", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	q.template = templatePath
	var out strings.Builder
	if err := run(&out, *q); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAWrongParameterIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"Tracing": "want NAME=VALUE", "=Active": "want NAME=VALUE",
		"Tracing=Loud": `the parameter Tracing: the value "Loud" is not allowed; allowed: [PassThrough Active]`,
		"Trace=Active": "the parameter Trace: the template has no such parameter",
	} {
		q, _ := newQuestion("cost", flag.ContinueOnError)
		q.template = templatePath
		err := q.set(text)
		if err == nil {
			err = run(io.Discard, *q)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
