package doctor

import (
	"fmt"
	"strings"

	"apitoken/cmd/apitoken/console"
)

// The results of a check.
const (
	ok      = "ok"
	warning = "warning" // it works, but somebody should look
	problem = "problem" // calls fail
)

// check is what one check found.
type check struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Text   string `json:"text"`
	Next   string `json:"next,omitempty"` // what the user can do
}

// report has the checks in the order in which they were done.
type report struct{ checks []check }

func (r *report) ok(name, format string, args ...any) {
	r.add(name, ok, fmt.Sprintf(format, args...), "")
}
func (r *report) warning(name, text, next string) { r.add(name, warning, text, next) }
func (r *report) problem(name, text, next string) { r.add(name, problem, text, next) }

// add adds a check. Its texts may come from a service or contain what a user typed in
// a wrong place, so they are made harmless here.
func (r *report) add(name, result, text, next string) {
	r.checks = append(r.checks, check{name, result, harmless(text), harmless(next)})
}

func harmless(text string) string {
	return console.WholeToken.ReplaceAllString(console.Plain(strings.ReplaceAll(text, "\n", "; ")), "[redacted]")
}

func (r *report) problems() (n int) {
	for _, c := range r.checks {
		if c.Result == problem {
			n++
		}
	}
	return n
}

func (r *report) print(e *console.Env, output string) error {
	if output == "json" {
		return console.PrintJSON(e.Out, struct {
			OK     bool    `json:"ok"`
			Checks []check `json:"checks"`
		}{r.problems() == 0, r.checks})
	}
	var lines strings.Builder
	for _, c := range r.checks {
		fmt.Fprintf(&lines, "%-8s %-12s %s\n", c.Result, c.Check, c.Text)
		if c.Next != "" {
			fmt.Fprintf(&lines, "%-8s %-12s next: %s\n", "", "", c.Next)
		}
	}
	_, err := fmt.Fprint(e.Out, lines.String())
	return err
}
