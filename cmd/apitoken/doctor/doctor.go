// Package doctor is the command that says why calls to the service work or do not:
// which address and token are used, whether the service is there, whether the clocks
// agree, and what the token may do.
//
// Its output has no secret, so that people can paste it. It sends the token only to a
// service that has answered as this one does. It changes nothing.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
)

// callTimeout is for one call of the doctor: a person waits for it.
const callTimeout = 5 * time.Second

type doctor struct {
	access.Flags
	output string
	report report
}

// New returns the command doctor.
func New(e *console.Env) *cobra.Command {
	var o doctor
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say which service and token are used, and whether they work",
		Long: `Say which service and token are used, and whether they work: which context,
flags or variables give them, whether the service answers, whether the clocks
agree, until when the token works, and what it may do.

Each line is ok, a warning or a problem, and says what to do next. The output has
no secret. The exit code is 1 if there is a problem, and 0 otherwise. The token is
sent only after the service has answered a call without it.`,
		Example: `  apitoken doctor --context prod --output json
  apitoken doctor`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	console.OutputFlag(c, &o.output, "text", "json")
	o.Flags.Add(c)
	return c
}

func (o *doctor) run(ctx context.Context, e *console.Env) error {
	if err := console.CheckOutput(o.output, "text", "json"); err != nil {
		return err
	}
	o.examine(ctx, e)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.report.print(e, o.output); err != nil {
		return err
	}
	if n := o.report.problems(); n > 0 {
		return fmt.Errorf("problems found: %d", n)
	}
	return nil
}

// examine does the checks, from the ones that need nothing to the ones that need the
// others. It stops when later checks could not say more.
func (o *doctor) examine(ctx context.Context, e *console.Env) {
	r := &o.report
	source, err := o.Source(e)
	if err != nil {
		r.problem("context", err.Error(), "")
		return
	}
	r.source(source)
	token, tokenErr := o.Token(ctx, e)
	r.tokenRead(source, token, tokenErr)
	base, hc, err := o.Endpoint(e)
	if err != nil {
		r.problem("service", err.Error(), "")
		return
	}
	hc.Timeout = callTimeout
	s := service{name: source.URL.Value, base: base, http: hc}
	if !r.service(ctx, &s) || tokenErr != nil {
		return
	}
	r.credential(ctx, &s, token)
}

// plainError is the text of an error of the network. The hint is another text.
func plainError(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %d seconds", int(callTimeout.Seconds()))
	}
	return err.Error()
}
