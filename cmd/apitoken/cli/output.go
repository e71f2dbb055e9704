package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// forms are the ways in which most commands print; the first is the default.
var forms = []string{"table", "json", "text"}

// outputFlag adds --output; the first form is the default.
func outputFlag(c *cobra.Command, into *string, forms ...string) {
	c.Flags().StringVar(into, "output", forms[0], "how to print: "+strings.Join(forms, ", "))
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string, forms ...string) error {
	if !slices.Contains(forms, output) {
		return usagef("--output is one of %s", strings.Join(forms, ", "))
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printRows prints rows under their heads in columns, or as text: without
// heads, separated by tabs.
func printRows(w io.Writer, output string, heads []string, rows [][]string) error {
	if output == "text" {
		var lines strings.Builder
		for _, row := range rows {
			lines.WriteString(strings.Join(row, "\t") + "\n")
		}
		_, err := io.WriteString(w, lines.String())
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return t.Flush()
}

// refused makes a refusal by the service readable, and one by the network if
// nobody listens; other errors stay.
func refused(err error) error {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return describe(p)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: no service listens there; start one with `apitoken serve`, or name its address with APITOKEN_URL", err)
	}
	return err
}

// describe is a refusal for people: what, by which code, and which member of
// the request is meant.
func describe(p *httpapi.Problem) error {
	text := p.Error()
	for _, e := range p.Errors {
		switch {
		case e.Detail != p.Detail:
			text += "; " + e.Field + ": " + e.Detail
		case !strings.HasPrefix(p.Detail, e.Field): // or the sentence names it itself
			text = e.Field + ": " + text
		}
	}
	if p.SoonestExpiry != nil && !p.SoonestExpiry.IsZero() {
		text += "; the next one expires at " + stamp(*p.SoonestExpiry)
	}
	return errors.New(plain(text))
}

// plain keeps what a stranger wrote from steering the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// stamp is an instant to the second, and - for none.
func stamp(t httpapi.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return plain(text)
}

// ownerOf is an identity as --owner takes it.
func ownerOf(i token.Identity) string {
	key, err := i.Key()
	if err != nil {
		return "?"
	}
	return plain(key)
}
