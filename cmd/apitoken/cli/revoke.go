package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type revoke struct {
	access.Flags
	ifMatch
	id       oneID
	children bool
}

func newRevoke(e *console.Env) *cobra.Command {
	var o revoke
	c := &cobra.Command{
		Use: "revoke ID",
		Example: `  apitoken revoke JhxND7ci
  apitoken revoke JhxND7ci --with-children`,
		Short: "Revoke a token, immediately and permanently",
		Long: `Revoke a token, immediately and permanently. The ID self is the token that you
use; it needs no scope.`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed)
		},
	}
	c.Flags().BoolVar(&o.children, "with-children", false, "also revoke the tokens of the same owner that were made with it, and those made with them")
	o.id.add(c)
	o.ifMatch.add(c)
	o.Flags.Add(c)
	return c
}

func (o *revoke) run(ctx context.Context, e *console.Env, args []string, given func(flag string) bool) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	options := httpapi.RevokeOptions{WithChildren: o.children}
	if options.IfMatch, err = o.ifMatch.header(given("if-match")); err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	id, err = end(ctx, client, id, options)
	if p, ok := errors.AsType[*httpapi.Problem](err); ok && p.Code == codeRevoked {
		e.Messagef("the token was already revoked at %s", console.FormatTime(p.EndedTime.Time))
		err = nil
	}
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, id)
}

// end revokes the token and returns its id. The answer to a revocation of the
// acting token does not name the token, so end reads its entry first.
func end(ctx context.Context, c *httpapi.Client, id string, o httpapi.RevokeOptions) (string, error) {
	if id != self {
		return id, c.RevokeWith(ctx, id, o)
	}
	own, err := c.GetSelf(ctx)
	if err != nil {
		return id, err
	}
	return own.ID, c.RevokeSelfWith(ctx, o)
}

// codeRevoked is the code of the answer about a token that is revoked already. To
// revoke it again is no error, so a script can go on.
const codeRevoked = "not_found_revoked"

func (o *revoke) print(e *console.Env, id string) error {
	_, err := fmt.Fprintf(e.Out, "ApiToken with id: %s has been revoked\n", id)
	return err
}
