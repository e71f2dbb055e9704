package outside

import "slices"

// quiet is the part of all CPUs that other processes may use in a slice.
const quiet = 0.05

// Plan says how often to measure.
type Plan struct {
	Rounds int // each has one slice of both servers
	// Tries is how often a slice is measured until it is quiet. On a machine that is
	// never quiet the quietest try counts, and the result says so.
	Tries int
}

// Comparison is the result of some rounds. Each value is a median.
type Comparison struct {
	Ours, Bare, Ratio float64
	Slices, Disturbed int // Disturbed slices had no quiet try
}

// Compare measures both in turns. value selects what counts of a slice.
func (p Plan) Compare(value func(Slice) float64, ours, bare func() (Slice, error)) (Comparison, error) {
	var a, b, ratios []float64
	c := Comparison{Slices: 2 * p.Rounds}
	for range p.Rounds {
		var pair [2]float64
		for i, measure := range []func() (Slice, error){ours, bare} {
			s, err := p.slice(&c, measure)
			if err != nil {
				return Comparison{}, err
			}
			pair[i] = value(s)
		}
		a, b, ratios = append(a, pair[0]), append(b, pair[1]), append(ratios, pair[0]/pair[1])
	}
	c.Ours, c.Bare, c.Ratio = Median(a), Median(b), Median(ratios)
	return c, nil
}

// Pair is the comparison of one slice of each, with values of the caller.
func Pair(oursSlice, bareSlice Slice, ours, bare float64) Comparison {
	c := Comparison{Ours: ours, Bare: bare, Ratio: ours / bare, Slices: 2}
	for _, s := range []Slice{oursSlice, bareSlice} {
		if s.Others > quiet {
			c.Disturbed++
		}
	}
	return c
}

// CompareByTurns measures slices whose load sends to both servers by turns.
func (p Plan) CompareByTurns(measure func() (Slice, error)) (Comparison, error) {
	var a, b, ratios []float64
	c := Comparison{Slices: p.Rounds}
	for range p.Rounds {
		s, err := p.slice(&c, measure)
		if err != nil {
			return Comparison{}, err
		}
		a, b, ratios = append(a, s.Value), append(b, s.Bare), append(ratios, s.Value/s.Bare)
	}
	c.Ours, c.Bare, c.Ratio = Median(a), Median(b), Median(ratios)
	return c, nil
}

// Repeat measures one server alone. The value of the load counts.
func (p Plan) Repeat(measure func() (Slice, error)) (Comparison, error) {
	var all []float64
	c := Comparison{Slices: p.Rounds}
	for range p.Rounds {
		s, err := p.slice(&c, measure)
		if err != nil {
			return Comparison{}, err
		}
		all = append(all, s.Value)
	}
	c.Ratio = Median(all)
	return c, nil
}

// slice measures one slice, and counts it if it was disturbed.
func (p Plan) slice(c *Comparison, measure func() (Slice, error)) (Slice, error) {
	s, err := p.quietest(measure)
	if err == nil && s.Others > quiet {
		c.Disturbed++
	}
	return s, err
}

// quietest drops slices until one is quiet.
func (p Plan) quietest(measure func() (Slice, error)) (best Slice, err error) {
	for try := range p.Tries {
		s, err := measure()
		if err != nil {
			return Slice{}, err
		}
		if try == 0 || s.Others < best.Others {
			best = s
		}
		if best.Others <= quiet {
			break
		}
	}
	return best, nil
}

// Median is the middle value, or the mean of the two middle ones.
func Median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Percentile is the smallest value that at least the part p of all values does not
// exceed.
func Percentile(all []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := int(p*float64(len(sorted)) + 0.999999)
	return sorted[min(max(n, 1), len(sorted))-1]
}
