package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// suspend is one of the commands suspend, reinstate, offboard and suspension.
type suspend struct {
	access.Flags
	output, reason string
}

func newSuspend(e *console.Env) *cobra.Command {
	var o suspend
	c := &cobra.Command{
		Use:   "suspend USER",
		Short: "Make all tokens of a user useless, until reinstate",
		Long: `Make all tokens of a user useless, from the next call on, and block new ones.
It ends no token: reinstate brings them back. It takes the permission edit.
Users cannot suspend themselves, and the last holder of edit cannot be
suspended. It may be repeated. ` + userForms,
		Example: `  apitoken suspend ann --reason 'the laptop was stolen'`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, func(ctx context.Context, c *httpapi.Client, user string) (any, [][]any, error) {
				s, err := c.Suspend(ctx, user, o.reason)
				return s, suspensionRows(s), access.Explain(err)
			})
		},
	}
	o.addReason(c)
	return c
}

func newReinstate(e *console.Env) *cobra.Command {
	var o suspend
	c := &cobra.Command{
		Use:     "reinstate USER",
		Example: `  apitoken reinstate ann`,
		Short:   "End the suspension of a user",
		Long: `End the suspension of a user. Tokens that were revoked or that expired meanwhile
stay ended. It takes the permission edit. It may be repeated. ` + userForms,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, func(ctx context.Context, c *httpapi.Client, user string) (any, [][]any, error) {
				s, err := c.Reinstate(ctx, user)
				return s, suspensionRows(s), access.Explain(err)
			})
		},
	}
	o.add(c)
	return c
}

func newOffboard(e *console.Env) *cobra.Command {
	var o suspend
	c := &cobra.Command{
		Use:   "offboard USER",
		Short: "Suspend a user and revoke all tokens of the user, permanently",
		Long: `Suspend a user and revoke all tokens of the user, permanently. It takes the
permissions edit and delete. Tokens that the user made for others stay. After an
error some tokens may have ended: run it again until it succeeds. ` + userForms,
		Example: `  apitoken offboard ann --reason 'left the company'`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, func(ctx context.Context, c *httpapi.Client, user string) (any, [][]any, error) {
				s, err := c.Offboard(ctx, user, o.reason)
				return s, append(suspensionRows(s.Suspension), []any{"ended tokens", strconv.Itoa(s.EndedTokens)}), offboardError(err)
			})
		},
	}
	o.addReason(c)
	return c
}

// offboardError says what to do after an error that is not an answer of the rules.
func offboardError(err error) error {
	if err == nil || access.ChangedNothing(err) {
		return access.Explain(err)
	}
	return &console.UnknownOutcomeError{Err: access.Explain(err), Hint: "some tokens may have ended; run the command again"}
}

func newSuspension(e *console.Env) *cobra.Command {
	var o suspend
	c := &cobra.Command{
		Use:     "suspension USER",
		Example: `  apitoken suspension ann`,
		Short:   "Show whether a user is suspended",
		Long: `Show whether a user is suspended. For other users it takes the permission view
or edit. The history of the user says when and why. ` + userForms,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, func(ctx context.Context, c *httpapi.Client, user string) (any, [][]any, error) {
				s, err := c.Suspension(ctx, user)
				return s, suspensionRows(s), access.Explain(err)
			})
		},
	}
	o.add(c)
	return c
}

func (o *suspend) addReason(c *cobra.Command) {
	c.Flags().StringVar(&o.reason, "reason", "", "the reason, for the history of the user")
	o.add(c)
}

func (o *suspend) add(c *cobra.Command) {
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
}

func (o *suspend) run(ctx context.Context, e *console.Env, args []string, call func(context.Context, *httpapi.Client, string) (any, [][]any, error)) error {
	user, err := userFrom(args)
	if err != nil {
		return err
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	done, rows, err := call(ctx, client, user)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return console.PrintJSON(e.Out, done)
	}
	return e.PrintTable(o.output, console.Table{Rows: rows})
}

func suspensionRows(s httpapi.Suspension) [][]any {
	suspended := "no"
	if s.Suspended {
		suspended = "yes"
	}
	return [][]any{{"user", ownerOf(s.User)}, {"suspended", suspended}, {"live tokens", strconv.Itoa(s.LiveTokens)}}
}
