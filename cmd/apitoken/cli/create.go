package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

type create struct {
	access.Flags
	name, expiry, owner, description string
	scopes, sourceIPs                []string
	output, out                      string
	yes                              bool
}

func newCreate(e *console.Env) *cobra.Command {
	var o create
	c := &cobra.Command{
		Use:   "create",
		Short: "Create a token and print it; no command can show it again",
		Long: `Create a token, and print it or write it into a file. No command can show it
again. The time when the token expires is written to standard error, and also
that the owner had no token before: the name of the owner may be mistyped.

--out checks the file before the call. The file must not exist.`,
		Example: `  apitoken create --name ci --expiry-date 90D
  apitoken create --expiry-date 2027-01-31 --scope 'GET /v1/*'
  apitoken create --owner ann --output json`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c.Context(), e, c.Flags().Changed)
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "the token's name (default OWNER_api_token)")
	f.StringVar(&o.expiry, "expiry-date", "", expiryForms)
	f.StringVar(&o.owner, "owner", "", "the user that the token acts for (default: the user that creates it)")
	f.StringVar(&o.description, "description", "", "the purpose of the token")
	f.StringArrayVar(&o.scopes, "scope", nil, "a call that the token may make, like 'GET /v1/*'; may be repeated (default: all calls of its owner)")
	f.StringArrayVar(&o.sourceIPs, "source-ip", nil, "an address or range from which the token may be used; may be repeated (default: any address)")
	f.BoolVar(&o.yes, "yes", false, "do not ask for confirmation if the unit is M (months)")
	f.StringVar(&o.out, "out", "", "write the token into this new file (mode 0600) and do not print it")
	console.OutputFlag(c, &o.output, "text", "json", "token")
	o.Flags.Add(c)
	return c
}

// run creates a token. A flag that was given counts even if its value is empty:
// an unset variable in a script must not make a token that never expires, or a
// token for the caller.
func (o *create) run(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	if err := o.checkOutput(given); err != nil {
		return err
	}
	request, err := o.request(given)
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	if err := o.confirm(ctx, e); err != nil {
		return err
	}
	file, err := o.prepare()
	if err != nil {
		return err
	}
	defer file.Discard()
	made, err := client.Create(ctx, request)
	if err != nil {
		return createError(err)
	}
	if err := access.CheckCreated(made); err != nil {
		return createError(err)
	}
	if err := o.finish(e, file, made); err != nil {
		return err
	}
	e.Messagef("%s", expiryText(made.ExpirationTime, o.expiry))
	if given("owner") {
		announceFirst(ctx, e, client, made)
	}
	return nil
}

// request builds the request. It checks the flags before the call, so that a
// typing error sends nothing.
func (o *create) request(given func(flag string) bool) (httpapi.CreateRequest, error) {
	r := httpapi.CreateRequest{Name: o.name, Description: o.description, Scopes: o.scopes, SourceIPs: o.sourceIPs}
	if given("owner") {
		owner, err := name.ParseIdentity(o.owner)
		if err != nil {
			return r, console.Usagef("--owner: %s", err)
		}
		r.User = &owner
	}
	if !given("expiry-date") {
		return r, nil
	}
	var err error
	r.ExpirationTime, r.ExpiresIn, err = expiryDate(o.expiry)
	return r, err
}

// print writes the sentence that VAST's command line prints, or JSON, or the token.
func (o *create) print(e *console.Env, made httpapi.Created) (err error) {
	switch {
	case o.out != "" && o.output == "json":
		return console.PrintJSON(e.Out, made.Entry)
	case o.out != "":
		_, err = fmt.Fprintf(e.Out, "ApiToken with id: %s has been created, the token is in %s\n", made.ID, console.Plain(o.out))
	case o.output == "json":
		return printCreated(e.Out, made)
	case o.output == "token":
		_, err = fmt.Fprintln(e.Out, made.BearerToken.Reveal())
	default:
		_, err = fmt.Fprintf(e.Out, "ApiToken with id: %s has been created, your token is: %s please keep it safe\n", made.ID, made.BearerToken.Reveal())
	}
	return err
}

// printCreated prints the answer with its secret as JSON.
func printCreated(w io.Writer, made httpapi.Created) error {
	return console.PrintJSON(w, struct {
		httpapi.Entry
		BearerToken string `json:"bearer_token"`
	}{made.Entry, made.BearerToken.Reveal()})
}

// createError builds the error of a failed create. After a refusal of the service,
// or without a connection, there is no new token. After any other error, a fault
// of the service too, there may be one.
func createError(err error) error {
	if access.ChangedNothing(err) {
		return access.Explain(err)
	}
	return &console.UnknownOutcomeError{Err: access.Explain(err), Hint: "the token may have been created; if `apitoken list` shows it, revoke it"}
}
