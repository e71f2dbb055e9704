package cli

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

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
	if !p.EndedTime.IsZero() {
		text += "; it was revoked at " + formatTime(p.EndedTime)
	}
	return errors.New(plain(text))
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

// refusal returns the problem of a call that the service refused.
func refusal(err error) (*httpapi.Problem, bool) {
	p, answered := errors.AsType[*httpapi.Problem](err)
	return p, answered && p.Code != "" && p.Status < http.StatusInternalServerError
}

// changedNothing reports whether the error shows that the call changed nothing: the
// service refused it, or no service was there.
func changedNothing(err error) bool {
	_, refused := refusal(err)
	return refused || errors.Is(err, syscall.ECONNREFUSED)
}
