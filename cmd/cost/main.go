// Command cost computes the monthly cost of a deployment: the usage of each call and
// of an idle month, times the prices in prices.json, which names their sources.
//
// It reads template.yaml: what the template switches on costs (traces, metrics,
// alarms, log lines and how long they are kept, schedules, keys, secrets, the
// archive). -set gives a parameter of the template another value than its default.
//
// The DynamoDB units of an authorization and of a creation are budgets that tests
// of infra/dynamo check. The other numbers (how long functions run, how much they
// log, how often a use is stored) are assumptions; usage.go has their reasons. The
// cost contains neither free tiers nor the traffic of the guarded API.
package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

//go:embed prices.json
var pricesFile []byte

// price is for a million or for one; exactly one of the two is set.
type price struct {
	PerMillion float64 `json:"per_million"`
	Each       float64 `json:"each"`
	Date       string  `json:"date"`   // when the price was looked up, as YYYY-MM
	Source     string  `json:"source"` // the page with the price
	Tier       string  `json:"tier"`   // where the page has prices for several amounts
}

func (p price) of(quantity float64) float64 { return quantity * (p.PerMillion/1e6 + p.Each) }

type prices struct {
	Region string
	Prices map[string]price
}

// oldest returns the date of the oldest price.
func (p prices) oldest() string {
	date := "9999"
	for _, price := range p.Prices {
		date = min(date, price.Date)
	}
	return date
}

// question is what the command computes the cost of.
type question struct {
	template                  string
	parameters                map[string]string
	authorizations, creations float64
	items                     bool
}

// newQuestion returns a question and the flags that set its members.
func newQuestion(command string, onError flag.ErrorHandling) (*question, *flag.FlagSet) {
	q := &question{parameters: map[string]string{}}
	flags := flag.NewFlagSet(command, onError)
	flags.Float64Var(&q.authorizations, "authorizations", 1_000_000, "requests to guarded APIs in a month")
	flags.Float64Var(&q.creations, "creations", 10_000, "tokens created in a month")
	flags.StringVar(&q.template, "template", "template.yaml", "the template")
	flags.BoolVar(&q.items, "items", false, "print each item with its quantity, price and cost")
	flags.Func("set", "a parameter of the template, as NAME=VALUE; may be repeated", q.set)
	return q, flags
}

func main() {
	q, flags := newQuestion("cost", flag.ExitOnError)
	flags.Parse(os.Args[1:])
	if err := run(os.Stdout, *q); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func (q question) set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want NAME=VALUE")
	}
	q.parameters[name] = value
	return nil
}

// part is one line of the answer.
type part struct {
	name string
	use  usage
}

func (q question) parts() ([]part, error) {
	d, err := read(q.template, q.parameters)
	if err != nil {
		return nil, err
	}
	fixed, err := d.fixed()
	if err != nil {
		return nil, err
	}
	return []part{
		{fmt.Sprintf("%.0f authorizations", q.authorizations), d.authorizations(q.authorizations)},
		{fmt.Sprintf("%.0f creations", q.creations), d.creations(q.creations)},
		{"fixed costs", fixed},
	}, nil
}

func run(out io.Writer, q question) error {
	var p prices
	if err := json.Unmarshal(pricesFile, &p); err != nil {
		return fmt.Errorf("reading the prices: %w", err)
	}
	parts, err := q.parts()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "USD a month in %s, prices of %s, without free tiers\n", p.Region, p.oldest())
	total := 0.0
	for _, part := range parts {
		sum, err := part.use.cost(p)
		if err != nil {
			return err
		}
		total += sum
		fmt.Fprintf(out, "%-28s %8.2f\n", part.name, sum)
		if q.items {
			part.use.print(out, p)
		}
	}
	fmt.Fprintf(out, "%-28s %8.2f\n", "total", total)
	return nil
}

// usage is the quantity of each priced item.
type usage map[string]float64

func (u usage) times(n float64) usage {
	all := usage{}
	for name, quantity := range u {
		all[name] = quantity * n
	}
	return all
}

// sumOf adds usages.
func sumOf(us ...usage) usage {
	sum := usage{}
	for _, u := range us {
		for name, quantity := range u {
			sum[name] += quantity
		}
	}
	return sum
}

// items returns the names of the items that are used, sorted.
func (u usage) items() (names []string) {
	for name, quantity := range u {
		if quantity != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (u usage) cost(p prices) (sum float64, err error) {
	for _, name := range u.items() {
		price, ok := p.Prices[name]
		if !ok {
			return 0, fmt.Errorf("prices.json has no price for %s", name)
		}
		sum += price.of(u[name])
	}
	return sum, nil
}

func (u usage) print(out io.Writer, p prices) {
	for _, name := range u.items() {
		price := p.Prices[name]
		fmt.Fprintf(out, "    %-24s %16.4f x %.9f = %9.4f\n", name, u[name], price.of(1), price.of(u[name]))
	}
}
