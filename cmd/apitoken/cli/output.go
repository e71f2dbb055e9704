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

	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// formats are the values of --output that most commands have.
var formats = []string{"table", "json", "text"}

// outputFlag adds --output. The first format is the default.
func outputFlag(c *cobra.Command, into *string, formats ...string) {
	c.Flags().StringVar(into, "output", formats[0], "the output format: "+strings.Join(formats, ", "))
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string, formats ...string) error {
	if !slices.Contains(formats, output) {
		return usagef("--output has an unknown value; allowed: %s", strings.Join(formats, ", "))
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printRows prints rows as a table with column heads. With output "text" it
// prints the rows without heads and separates the values by tabs.
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

// explain returns an error that the user can act on: for a problem of the
// service, and for a connection that was refused. It returns other errors
// unchanged.
func explain(err error) error {
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		return describe(p)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: no service listens at this address; start one with `apitoken serve`, or set APITOKEN_URL to the address of the service", err)
	}
	return err
}

// describe is a problem as a message: its detail and code, and the members of
// the request that caused it.
func describe(p *httpapi.Problem) error {
	text := p.Error()
	for _, e := range p.Errors {
		switch {
		case e.Detail != p.Detail:
			text += "; " + e.Field + ": " + e.Detail
		case !strings.HasPrefix(p.Detail, e.Field): // otherwise the detail already names the member
			text = e.Field + ": " + text
		}
	}
	if p.SoonestExpiry != nil && !p.SoonestExpiry.IsZero() {
		text += "; the next token expires at " + formatTime(*p.SoonestExpiry)
	}
	return errors.New(plain(text))
}

// plain replaces unprintable characters: a text of another user must not send
// control sequences to the terminal. It keeps the two joiners, U+200C and U+200D,
// which the spelling of some names needs.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\u200c' || r == '\u200d' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// formatTime is an instant in whole seconds, or "-" for no instant.
func formatTime(t httpapi.Time) string {
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

// ownerOf is an identity in the form of --owner, or "?" if it has no owner key.
func ownerOf(i name.Identity) string {
	key, err := i.Key()
	if err != nil {
		return "?"
	}
	return plain(key)
}
