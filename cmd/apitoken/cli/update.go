package cli

import (
	"context"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

type update struct {
	access.Flags
	ifMatch
	id                                           oneID
	name, description, expiry                    string
	scopes, sourceIPs                            []string
	noExpiry, noScopes, noSourceIPs, endPrevious bool
	output                                       string
	wide, yes                                    bool
}

func newUpdate(e *console.Env) *cobra.Command {
	var o update
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change the name, the expiry, the scopes or the source ranges of a token",
		Long: `Change a token, and print it after the change. What no flag names stays as it
is. --scope and --source-ip replace the whole list. A lifetime counts from the
creation of the token. The ID self is the token that you use.`,
		Example: `  apitoken update JhxND7ci --name ci --expiry-date 2027-01-31T12:00:00Z
  apitoken update JhxND7ci --scope 'GET /v1/*' --no-source-ips
  apitoken update JhxND7ci --no-expiry --if-match 3`,
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), e, args, c.Flags().Changed)
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "the token's name; '' is OWNER_api_token")
	f.StringVar(&o.description, "description", "", "the purpose of the token; '' removes it")
	f.StringVar(&o.expiry, "expiry-date", "", expiryForms+"; a lifetime counts from the creation of the token")
	f.BoolVar(&o.noExpiry, "no-expiry", false, "the token never expires")
	f.StringArrayVar(&o.scopes, "scope", nil, "a call that the token may make, like 'GET /v1/*'; may be repeated")
	f.BoolVar(&o.noScopes, "no-scopes", false, "the token may make all calls of its owner")
	f.StringArrayVar(&o.sourceIPs, "source-ip", nil, "an address or range from which the token may be used; may be repeated")
	f.BoolVar(&o.noSourceIPs, "no-source-ips", false, "the token may be used from any address")
	f.BoolVar(&o.endPrevious, "end-previous-secret", false, "end the secret that the last rotation replaced")
	f.BoolVar(&o.yes, "yes", false, "do not ask for confirmation if the unit is M (months)")
	c.MarkFlagsMutuallyExclusive("expiry-date", "no-expiry")
	c.MarkFlagsMutuallyExclusive("scope", "no-scopes")
	c.MarkFlagsMutuallyExclusive("source-ip", "no-source-ips")
	o.id.add(c)
	o.ifMatch.add(c)
	f.BoolVar(&o.wide, "wide", false, "print all fields in the table, as show does")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *update) run(ctx context.Context, e *console.Env, args []string, given func(flag string) bool) error {
	id, err := o.id.from(args)
	if err != nil {
		return err
	}
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	entry, err := o.change(ctx, e, id, given)
	if err != nil {
		return err
	}
	if err := printEntry(e, o.output, o.wide, entry); err != nil {
		return err
	}
	if given("expiry-date") || o.noExpiry {
		e.Messagef("%s", expiryText(entry.ExpirationTime, o.expiry))
	}
	return nil
}

// change asks the service for the change that the flags describe.
func (o *update) change(ctx context.Context, e *console.Env, id string, given func(flag string) bool) (entry httpapi.Entry, err error) {
	request, err := o.request(given)
	if err != nil {
		return entry, err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return entry, err
	}
	if id, err = ownID(ctx, client, id); err != nil {
		return entry, access.Explain(err)
	}
	if err := o.confirm(ctx, e, client, id); err != nil {
		return entry, err
	}
	if entry, err = client.Update(ctx, id, request); err != nil {
		return entry, access.Explain(err)
	}
	return entry, nil
}

// request builds the request. It checks the flags before the call, so that a
// typing error sends nothing. A flag that was given counts even if its value is
// empty: an unset variable in a script must not remove a bound of the token.
func (o *update) request(given func(flag string) bool) (r httpapi.UpdateRequest, err error) {
	if !anyGiven(given, "name", "description", "expiry-date", "scope", "source-ip") && !o.noExpiry && !o.noScopes && !o.noSourceIPs && !o.endPrevious {
		return r, console.Usagef("give a flag that changes the token; see apitoken update --help")
	}
	if r.IfMatch, err = o.ifMatch.header(given("if-match")); err != nil {
		return r, err
	}
	if given("name") {
		r.Name = &o.name
	}
	if given("description") {
		r.Description = &o.description
	}
	if given("scope") || o.noScopes {
		r.Scopes = &o.scopes
	}
	if given("source-ip") || o.noSourceIPs {
		r.SourceIPs = &o.sourceIPs
	}
	r.EndPreviousSecret = o.endPrevious
	if o.noExpiry {
		r.ExpirationTime = &httpapi.Time{}
	}
	if given("expiry-date") {
		at, lifetime, err := expiryDate(o.expiry)
		if err != nil {
			return r, err
		}
		if r.ExpiresIn = lifetime; lifetime == "" {
			r.ExpirationTime = &at
		}
	}
	return r, nil
}

func anyGiven(given func(flag string) bool, flags ...string) bool {
	for _, f := range flags {
		if given(f) {
			return true
		}
	}
	return false
}

// confirm asks the user whether the unit M is right. The lifetime counts from the
// creation of the token.
func (o *update) confirm(ctx context.Context, e *console.Env, c *httpapi.Client, id string) error {
	if !asksAboutMonths(e, o.expiry, o.yes) {
		return nil
	}
	entry, err := c.Get(ctx, id)
	if err != nil {
		return access.Explain(err)
	}
	return confirmMonths(ctx, e, o.expiry, entry.CreationTime.Time, "the token was not changed")
}

// ownID returns the id of the token that the command uses for self, and other ids
// unchanged. The service has no call that changes self.
func ownID(ctx context.Context, c *httpapi.Client, id string) (string, error) {
	if id != self {
		return id, nil
	}
	own, err := c.GetSelf(ctx)
	if err != nil {
		return "", err
	}
	return checkAnswered(own.ID)
}
