// Command cost computes the monthly cost of a deployment: the usage of each call,
// times the prices in prices.json, which names their sources.
//
// The DynamoDB units of an authorization and of a creation are budgets that tests
// of infra/dynamo check. The other numbers (how long functions run, how much they
// log, how often a use is stored) are assumptions; usage.go has their reasons. The
// cost contains neither free tiers nor the traffic of the guarded API.
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

//go:embed prices.json
var pricesFile []byte

// price is for a million or for one; exactly one of the two is set.
type price struct {
	PerMillion float64 `json:"per_million"`
	Each       float64 `json:"each"`
	Source     string  `json:"source"`
}

func (p price) of(quantity float64) float64 { return quantity * (p.PerMillion/1e6 + p.Each) }

type prices struct {
	Region string
	AsOf   string `json:"as_of"`
	Prices map[string]price
}

func main() {
	authorizations := flag.Float64("authorizations", 1_000_000, "requests to guarded APIs in a month")
	creations := flag.Float64("creations", 10_000, "tokens created in a month")
	flag.Parse()
	if err := run(os.Stdout, *authorizations, *creations); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, authorizations, creations float64) error {
	var p prices
	if err := json.Unmarshal(pricesFile, &p); err != nil {
		return fmt.Errorf("reading the prices: %w", err)
	}
	fmt.Fprintf(out, "USD a month in %s, prices of %s, without free tiers\n", p.Region, p.AsOf)
	total := 0.0
	for _, part := range []struct {
		name string
		use  usage
	}{
		{fmt.Sprintf("%.0f authorizations", authorizations), authorization.times(authorizations)},
		{fmt.Sprintf("%.0f creations", creations), creation.times(creations)},
		{"fixed costs", fixed},
	} {
		sum, err := part.use.cost(p)
		if err != nil {
			return err
		}
		total += sum
		fmt.Fprintf(out, "%-28s %8.2f\n", part.name, sum)
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

func (u usage) cost(p prices) (sum float64, err error) {
	var names []string
	for name := range u {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		price, ok := p.Prices[name]
		if !ok {
			return 0, fmt.Errorf("prices.json has no price for %s", name)
		}
		sum += price.of(u[name])
	}
	return sum, nil
}
