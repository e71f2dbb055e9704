package oci

import (
	"fmt"
	"slices"

	"github.com/jmespath/go-jmespath"
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// answer is what a command prints: the member data, and etag if there is one. An
// answer without data prints nothing.
type answer map[string]any

// output is how a command prints its answer.
type output struct {
	query, format string
	raw           bool
	expression    *jmespath.JMESPath // nil: no --query
}

var formats = []string{"json", "table"}

func (o *output) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.query, "query", "", "a JMESPath expression that selects a part of the answer, like data.id")
	f.BoolVar(&o.raw, "raw-output", false, "print the result of --query without quotes, if it is a string")
	f.StringVar(&o.format, "output", formats[0], "the output format: json, table")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// check checks the flags before the call: after a create it would be too late, because
// the secret would be lost.
func (o *output) check(c *cobra.Command) (err error) {
	if !slices.Contains(formats, o.format) {
		return wrongUse(c, "", "Invalid value for '--output': it is not one of 'json', 'table'.")
	}
	if o.query == "" {
		return nil
	}
	if o.expression, err = jmespath.Compile(o.query); err != nil {
		return queryError(err)
	}
	return nil
}

// try runs the query on an example of the answer, for the errors that Compile does not
// find, like an unknown function.
func (o *output) try(example answer) error {
	_, err := o.selected(example)
	return err
}

// selected is the part of the answer that is printed.
func (o *output) selected(a answer) (any, error) {
	if o.expression == nil {
		return map[string]any(a), nil
	}
	part, err := o.expression.Search(map[string]any(a))
	if err != nil {
		return nil, queryError(err)
	}
	return part, nil
}

func queryError(err error) error {
	return failf("JMESPathError: --query: %s. A key with other characters than letters, digits and _ needs double quotes, and a text needs single quotes: --query 'data[?\"lifecycle-state\"=='\"'ACTIVE'\"'].id'", err)
}

func (o *output) print(e *console.Env, a answer) error {
	if len(a) == 0 {
		return nil
	}
	part, err := o.selected(a)
	if err != nil {
		return err
	}
	text, isText := part.(string)
	switch {
	case part == nil:
		e.Messagef("Query returned empty result, no output to show.")
		return nil
	case o.format == "table":
		return o.printTable(e, a, part)
	case o.raw && isText:
		_, err := fmt.Fprintln(e.Out, console.Plain(text))
		return err
	}
	return console.PrintJSON(e.Out, part)
}

// printTable prints the data, or the result of the query, as a table. The etag follows
// on standard error.
func (o *output) printTable(e *console.Env, a answer, part any) error {
	if o.expression == nil {
		part = a["data"]
	}
	if err := printTable(e, part); err != nil {
		return err
	}
	if etag, ok := a["etag"]; ok {
		e.Messagef("etag: %s", etag)
	}
	return nil
}
